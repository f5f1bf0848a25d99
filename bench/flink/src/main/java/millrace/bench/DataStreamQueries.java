package millrace.bench;

import java.time.Duration;
import java.util.Set;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** The queries for which Flink's best is a DataStream job, as users write them. The fields of a sink are in the order of bench/flink-queries.ts. */
final class DataStreamQueries {
  private static final TypeInformation<Tuple3<Long, Long, Long>> THREE_LONGS = Types.TUPLE(Types.LONG, Types.LONG, Types.LONG);

  private DataStreamQueries() {}

  static void add(String query, StreamExecutionEnvironment env) {
    boolean hasTime = !Set.of("q0", "q1", "q2").contains(query);
    WatermarkStrategy<Event> watermarks = hasTime ? WatermarkStrategy.forBoundedOutOfOrderness(Duration.ofSeconds(4)) : WatermarkStrategy.noWatermarks();
    SingleOutputStreamOperator<Event.Bid> bids = env.fromSource(new NexmarkSource<>(Event::of), watermarks, "nexmark", TypeInformation.of(Event.class))
        .filter(event -> event.bid != null).map(event -> event.bid).returns(Event.Bid.class);
    switch (query) {
      case "q0" -> bids
          .sinkTo(new BlackholeSink<>(Reading::bid, b -> new Object[] {b.auction, b.bidder, b.price, b.channel, b.url, b.dateTime, b.extra}));
      case "q1" -> bids.map(Event::euros).returns(Event.Euros.class)
          .sinkTo(new BlackholeSink<>(Reading::euros, b -> new Object[] {b.auction, b.bidder, b.price, b.channel, b.url, b.dateTime, b.extra}));
      case "q2" -> bids.filter(bid -> bid.auction % 123 == 0).map(bid -> Tuple2.of(bid.auction, bid.price)).returns(Types.TUPLE(Types.LONG, Types.LONG))
          .sinkTo(new BlackholeSink<>(two -> two.f0 * 31 + two.f1, two -> new Object[] {two.f0, two.f1}));
      case "q5" -> hotAuctions(bids);
      case "q7-tumbling" -> bids.map(bid -> Tuple3.of(bid.auction, bid.bidder, bid.price)).returns(THREE_LONGS)
          .windowAll(TumblingEventTimeWindows.of(Duration.ofSeconds(10))).reduce((a, b) -> a.f2 >= b.f2 ? a : b)
          .sinkTo(new BlackholeSink<>(DataStreamQueries::sum, highest -> new Object[] {highest.f2}));
      case "q11" -> bids.map(bid -> bid.bidder).returns(Types.LONG).keyBy(bidder -> bidder).window(EventTimeSessionWindows.withGap(Duration.ofSeconds(10)))
          .aggregate(new Count(), new WithWindow()).returns(THREE_LONGS)
          .sinkTo(new BlackholeSink<>(DataStreamQueries::sum, session -> new Object[] {session.f1, session.f0, session.f2}));
      case "q18" -> bids.keyBy(bid -> Tuple2.of(bid.bidder, bid.auction), Types.TUPLE(Types.LONG, Types.LONG)).process(new LastBid()).returns(Event.Bid.class)
          .sinkTo(new BlackholeSink<>(Reading::bid, last -> new Object[] {last.bidder, last.auction, last.dateTime}));
      default -> throw new IllegalArgumentException("no DataStream job for " + query);
    }
  }

  /** q5: bids per auction in hopping windows, then the auctions with the most of each window. */
  private static void hotAuctions(SingleOutputStreamOperator<Event.Bid> bids) {
    bids.map(bid -> bid.auction).returns(Types.LONG).keyBy(auction -> auction).window(SlidingEventTimeWindows.of(Duration.ofSeconds(10), Duration.ofSeconds(2)))
        .aggregate(new Count(), new WithWindow()).returns(THREE_LONGS)
        .keyBy(count -> count.f0, Types.LONG).window(TumblingEventTimeWindows.of(Duration.ofSeconds(2))).process(new Most()).returns(THREE_LONGS)
        .sinkTo(new BlackholeSink<>(DataStreamQueries::sum, hot -> new Object[] {hot.f0, hot.f2}));
  }

  private static long sum(Tuple3<Long, Long, Long> row) { return (row.f0 * 31 + row.f1) * 31 + row.f2; }

  static final class Count implements AggregateFunction<Long, Long, Long> {
    @Override public Long createAccumulator() { return 0L; }
    @Override public Long add(Long value, Long count) { return count + 1; }
    @Override public Long getResult(Long count) { return count; }
    @Override public Long merge(Long a, Long b) { return a + b; }
  }

  /** Out come the window's start, the key and the count. */
  static final class WithWindow extends ProcessWindowFunction<Long, Tuple3<Long, Long, Long>, Long, TimeWindow> {
    @Override public void process(Long key, Context context, Iterable<Long> counts, Collector<Tuple3<Long, Long, Long>> out) {
      out.collect(Tuple3.of(context.window().getStart(), key, counts.iterator().next()));
    }
  }

  static final class Most extends ProcessWindowFunction<Tuple3<Long, Long, Long>, Tuple3<Long, Long, Long>, Long, TimeWindow> {
    @Override public void process(Long start, Context context, Iterable<Tuple3<Long, Long, Long>> counts, Collector<Tuple3<Long, Long, Long>> out) {
      long most = 0;
      for (Tuple3<Long, Long, Long> count : counts) most = Math.max(most, count.f2);
      for (Tuple3<Long, Long, Long> count : counts) if (count.f2 == most) out.collect(count);
    }
  }

  /** Emits every bid that is not older than the newest of its key so far. */
  static final class LastBid extends KeyedProcessFunction<Tuple2<Long, Long>, Event.Bid, Event.Bid> {
    private transient ValueState<Event.Bid> last;

    @Override public void open(OpenContext context) { last = getRuntimeContext().getState(new ValueStateDescriptor<>("last", Event.Bid.class)); }
    @Override public void processElement(Event.Bid bid, Context context, Collector<Event.Bid> out) throws Exception {
      Event.Bid before = last.value();
      if (before != null && bid.dateTime < before.dateTime) return;
      last.update(bid);
      out.collect(bid);
    }
  }
}
