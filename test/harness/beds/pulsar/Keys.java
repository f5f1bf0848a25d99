import org.apache.pulsar.client.api.HashingScheme;
import org.apache.pulsar.client.api.Producer;
import org.apache.pulsar.client.api.PulsarClient;

/** Writes a message for each key: service URL, topic, hashing scheme, keys. */
public class Keys {
    public static void main(String[] arguments) throws Exception {
        try (PulsarClient client = PulsarClient.builder().serviceUrl(arguments[0]).build();
                Producer<byte[]> producer = client.newProducer()
                        .topic(arguments[1])
                        .hashingScheme(HashingScheme.valueOf(arguments[2]))
                        .create()) {
            for (int at = 3; at < arguments.length; at++)
                producer.newMessage().key(arguments[at]).value("{}".getBytes()).send();
        }
    }
}
