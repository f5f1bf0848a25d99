package millrace.bench;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** All events in one split, made in the thread of the source; `Measure` says when it ends. For one subtask. */
final class NexmarkSource<T> implements Source<T, NexmarkSource.Split, Boolean> {
  interface Make<T> extends Serializable { T of(NexmarkGenerator event); }

  record Split(long next) implements SourceSplit {
    @Override public String splitId() { return "events"; }
  }

  private final Make<T> make;

  NexmarkSource(Make<T> make) { this.make = make; }

  @Override public Boundedness getBoundedness() { return Boundedness.BOUNDED; }
  @Override public SplitEnumerator<Split, Boolean> createEnumerator(SplitEnumeratorContext<Split> context) { return new Enumerator(context, false); }
  @Override public SplitEnumerator<Split, Boolean> restoreEnumerator(SplitEnumeratorContext<Split> context, Boolean assigned) { return new Enumerator(context, assigned); }
  @Override public SourceReader<T, Split> createReader(SourceReaderContext context) { return new Reader<>(make, context); }

  @Override public SimpleVersionedSerializer<Split> getSplitSerializer() {
    return new SimpleVersionedSerializer<>() {
      @Override public int getVersion() { return 1; }
      @Override public byte[] serialize(Split split) { return ByteBuffer.allocate(8).putLong(split.next()).array(); }
      @Override public Split deserialize(int version, byte[] bytes) { return new Split(ByteBuffer.wrap(bytes).getLong()); }
    };
  }

  @Override public SimpleVersionedSerializer<Boolean> getEnumeratorCheckpointSerializer() {
    return new SimpleVersionedSerializer<>() {
      @Override public int getVersion() { return 1; }
      @Override public byte[] serialize(Boolean assigned) { return new byte[] {(byte) (assigned ? 1 : 0)}; }
      @Override public Boolean deserialize(int version, byte[] bytes) { return bytes[0] == 1; }
    };
  }

  /** Hands out the split once. */
  private static final class Enumerator implements SplitEnumerator<Split, Boolean> {
    private final SplitEnumeratorContext<Split> context;
    private boolean assigned;

    Enumerator(SplitEnumeratorContext<Split> context, boolean assigned) { this.context = context; this.assigned = assigned; }

    @Override public void start() {}
    @Override public void addReader(int subtask) {}
    @Override public void handleSplitRequest(int subtask, String host) {
      if (assigned) context.signalNoMoreSplits(subtask);
      else context.assignSplit(new Split(0), subtask);
      assigned = true;
    }
    @Override public void addSplitsBack(List<Split> splits, int subtask) { assigned = false; }
    @Override public Boolean snapshotState(long checkpoint) { return assigned; }
    @Override public void close() {}
  }

  private static final class Reader<T> implements SourceReader<T, Split> {
    private final Make<T> make;
    private final SourceReaderContext context;
    private final NexmarkGenerator generator = new NexmarkGenerator();
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private long next = -1;

    Reader(Make<T> make, SourceReaderContext context) { this.make = make; this.context = context; }

    @Override public void start() { context.sendSplitRequest(); }
    @Override public InputStatus pollNext(ReaderOutput<T> out) {
      if (next < 0) return InputStatus.NOTHING_AVAILABLE;
      if (Measure.isEnd(next)) return InputStatus.END_OF_INPUT;
      generator.event(next++);
      out.collect(make.of(generator), generator.dateTime);
      return InputStatus.MORE_AVAILABLE;
    }
    @Override public List<Split> snapshotState(long checkpoint) {
      List<Split> splits = new ArrayList<>();
      if (next >= 0) splits.add(new Split(next));
      return splits;
    }
    @Override public CompletableFuture<Void> isAvailable() { return ready; }
    @Override public void addSplits(List<Split> splits) { next = splits.get(0).next(); ready.complete(null); }
    @Override public void notifyNoMoreSplits() {}
    @Override public void close() {}
  }
}
