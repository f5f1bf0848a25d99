import java.util.Optional;
import org.apache.pulsar.metadata.api.MetadataStoreConfig;
import org.apache.pulsar.metadata.api.MetadataStoreFactory;

/** Deletes the registration of a killed bookie from the metadata store in a folder, as the end of its session would. */
public class ForgetBookie {
    private static final String BOOKIES = "/ledgers/available";

    public static void main(String[] args) throws Exception {
        try (var store = MetadataStoreFactory.create("rocksdb://" + args[0], MetadataStoreConfig.builder().build())) {
            for (var child : store.getChildren(BOOKIES).get())
                if (child.contains(":")) store.delete(BOOKIES + "/" + child, Optional.empty()).get();
        }
    }
}
