package millrace.bench;

import java.util.List;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkV2Provider;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.types.RowKind;

/** The table connector `reading-blackhole`: takes what Flink's own `blackhole` takes (no -U) and reads every field. */
public final class BlackholeTable implements DynamicTableSinkFactory {
  /** The columns that are hashed, in this order, when results are checked. */
  static List<String> hashedColumns = List.of();

  @Override public String factoryIdentifier() { return "reading-blackhole"; }
  @Override public Set<ConfigOption<?>> requiredOptions() { return Set.of(); }
  @Override public Set<ConfigOption<?>> optionalOptions() { return Set.of(); }
  @Override public DynamicTableSink createDynamicTableSink(Context context) { return new Table((RowType) context.getPhysicalRowDataType().getLogicalType()); }

  private record Table(RowType type) implements DynamicTableSink {
    @Override public ChangelogMode getChangelogMode(ChangelogMode requested) {
      ChangelogMode.Builder mode = ChangelogMode.newBuilder();
      for (RowKind kind : requested.getContainedKinds()) if (kind != RowKind.UPDATE_BEFORE) mode.addContainedKind(kind);
      return mode.build();
    }
    @Override public SinkRuntimeProvider getSinkRuntimeProvider(Context context) { return SinkV2Provider.of(new BlackholeSink<>(reader(type), fields(type))); }
    @Override public DynamicTableSink copy() { return this; }
    @Override public String asSummaryString() { return "reading-blackhole"; }
  }

  static BlackholeSink.Read<RowData> reader(RowType type) {
    LogicalTypeRoot[] roots = type.getChildren().stream().map(child -> child.getTypeRoot()).toArray(LogicalTypeRoot[]::new);
    return row -> {
      long sum = 0;
      for (int i = 0; i < roots.length; i++) if (!row.isNullAt(i)) sum = sum * 31 + read(row, i, roots[i]);
      return sum;
    };
  }

  private static long read(RowData row, int field, LogicalTypeRoot root) {
    return switch (root) {
      case BIGINT -> row.getLong(field);
      case VARCHAR -> Reading.text(row.getString(field).toString());
      case TIMESTAMP_WITHOUT_TIME_ZONE -> row.getTimestamp(field, 3).getMillisecond();
      default -> throw new IllegalArgumentException("no column of the queries has type " + root);
    };
  }

  private static BlackholeSink.Fields<RowData> fields(RowType type) {
    int[] columns = hashedColumns.stream().mapToInt(type::getFieldIndex).toArray();
    RowData.FieldGetter[] getters = new RowData.FieldGetter[columns.length];
    for (int i = 0; i < columns.length; i++) getters[i] = RowData.createFieldGetter(type.getTypeAt(columns[i]), columns[i]);
    return row -> {
      Object[] values = new Object[getters.length];
      for (int i = 0; i < values.length; i++) values[i] = plain(getters[i].getFieldOrNull(row));
      return values;
    };
  }

  private static Object plain(Object value) {
    if (value instanceof StringData text) return text.toString();
    return value instanceof TimestampData time ? (Object) time.getMillisecond() : value;
  }
}
