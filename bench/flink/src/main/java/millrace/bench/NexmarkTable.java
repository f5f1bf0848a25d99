package millrace.bench;

import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;

/** The table connector `nexmark-events`: rows of the shape of nexmark/nexmark's own datagen table. */
public final class NexmarkTable implements DynamicTableSourceFactory {
  @Override public String factoryIdentifier() { return "nexmark-events"; }
  @Override public Set<ConfigOption<?>> requiredOptions() { return Set.of(); }
  @Override public Set<ConfigOption<?>> optionalOptions() { return Set.of(); }
  @Override public DynamicTableSource createDynamicTableSource(Context context) { return new Table(); }

  private record Table() implements ScanTableSource {
    @Override public ChangelogMode getChangelogMode() { return ChangelogMode.insertOnly(); }
    @Override public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) { return SourceProvider.of(new NexmarkSource<RowData>(NexmarkTable::row)); }
    @Override public DynamicTableSource copy() { return this; }
    @Override public String asSummaryString() { return "nexmark-events"; }
  }

  private static RowData row(NexmarkGenerator g) {
    GenericRowData row = new GenericRowData(4);
    row.setField(0, g.kind);
    TimestampData at = TimestampData.fromEpochMillis(g.dateTime);
    switch (g.kind) {
      case NexmarkGenerator.PERSON -> row.setField(1, GenericRowData.of(g.id, text(g.name), text(g.email), text(g.creditCard), text(g.city), text(g.state), at, text(g.extra)));
      case NexmarkGenerator.AUCTION -> row.setField(2, GenericRowData.of(g.id, text(g.itemName), text(g.description), g.initialBid, g.reserve, at,
          TimestampData.fromEpochMillis(g.expires), g.seller, g.category, text(g.extra)));
      default -> row.setField(3, GenericRowData.of(g.auction, g.bidder, g.price, text(g.channel), text(g.url), at, text(g.extra)));
    }
    return row;
  }

  private static StringData text(String text) { return StringData.fromString(text); }
}
