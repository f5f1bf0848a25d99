package millrace.bench;

import java.io.Serializable;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.table.data.RowData;
import org.apache.flink.types.RowKind;

/** Reads every field of each record into a checksum; in a run that checks results, into the hash instead. */
final class BlackholeSink<T> implements Sink<T> {
  interface Read<T> extends Serializable { long sumOf(T record); }
  interface Fields<T> extends Serializable { Object[] of(T record); }

  /** Of this process; null when results are not checked. */
  static RowHash hash;

  private final Read<T> read;
  private final Fields<T> fields;

  BlackholeSink(Read<T> read, Fields<T> fields) { this.read = read; this.fields = fields; }

  @Override public SinkWriter<T> createWriter(WriterInitContext context) { return hash == null ? new Reader<>(read) : new Hasher<>(fields); }

  private static final class Reader<T> implements SinkWriter<T> {
    private final Read<T> read;
    private long rows, sum;

    Reader(Read<T> read) { this.read = read; }

    @Override public void write(T record, Context context) { rows++; sum += read.sumOf(record); }
    @Override public void flush(boolean endOfInput) { Measure.addRows(rows, sum); rows = 0; sum = 0; }
    @Override public void close() { flush(true); }
  }

  private static final class Hasher<T> implements SinkWriter<T> {
    private final Fields<T> fields;

    Hasher(Fields<T> fields) { this.fields = fields; }

    @Override public void write(T record, Context context) {
      if (record instanceof RowData row && row.getRowKind() == RowKind.DELETE) hash.remove(fields.of(record));
      else hash.add(fields.of(record));
    }
    @Override public void flush(boolean endOfInput) {}
    @Override public void close() {}
  }
}
