package millrace.bench;

import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.formats.json.JsonDeserializationSchema;
import org.apache.flink.formats.json.JsonSerializationSchema;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;

/**
 * Kafka JSON to map or filter to Kafka JSON, exactly once, as it was fastest in the first measurements: DataStream with
 * flink-json's schemas, large batches and polls. Topics `short` and `long` are read to their ends.
 */
final class KafkaQueries {
  private KafkaQueries() {}

  public static class Bid { public long auction, bidder, price; public String channel, url; public long dateTime; public String extra; }
  public static class Euros { public long auction, bidder; public BigDecimal price; public String channel, url; public long dateTime; public String extra; }
  public static class Two { public long auction, price; }

  private static final Map<String, String> POLLS = Map.of("max.poll.records", "5000", "fetch.min.bytes", "262144", "max.partition.fetch.bytes", "4194304");
  private static final Map<String, String> BATCHES = Map.of("linger.ms", "50", "batch.size", "262144", "buffer.memory", "67108864", "transaction.timeout.ms", "600000");

  /** CPU seconds of a pass over the long topic less those of one over the short topic, when everything is warm. */
  static double secondsBetween(String query, String brokers, Configuration configuration) throws Exception {
    configuration.setString("execution.checkpointing.checkpoints-after-tasks-finish", "true");
    pass(query, brokers, "long", configuration);
    pass(query, brokers, "short", configuration);
    double start = Measure.cpuSeconds();
    pass(query, brokers, "long", configuration);
    double middle = Measure.cpuSeconds();
    pass(query, brokers, "short", configuration);
    return middle - start - (Measure.cpuSeconds() - middle);
  }

  private static void pass(String query, String brokers, String topic, Configuration configuration) throws Exception {
    String out = "flink-" + UUID.randomUUID();
    try (AdminClient admin = AdminClient.create(Map.of("bootstrap.servers", brokers))) {
      admin.createTopics(List.of(new NewTopic(out, Optional.of(4), Optional.empty()))).all().get();
      StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, configuration);
      var source = KafkaSource.<Bid>builder().setBootstrapServers(brokers).setTopics(topic).setStartingOffsets(OffsetsInitializer.earliest())
          .setBounded(OffsetsInitializer.latest()).setValueOnlyDeserializer(new JsonDeserializationSchema<>(Bid.class));
      POLLS.forEach(source::setProperty);
      DataStream<Bid> bids = env.fromSource(source.build(), WatermarkStrategy.noWatermarks(), "bids");
      if (query.equals("kafka-q1")) bids.map(KafkaQueries::euros).returns(Euros.class).sinkTo(sink(brokers, out));
      else bids.filter(bid -> bid.auction % 123 == 0).map(KafkaQueries::two).returns(Two.class).sinkTo(sink(brokers, out));
      env.execute();
      admin.deleteTopics(List.of(out)).all().get();
    }
  }

  private static <T> KafkaSink<T> sink(String brokers, String topic) {
    var sink = KafkaSink.<T>builder().setBootstrapServers(brokers).setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE).setTransactionalIdPrefix(topic)
        .setRecordSerializer(KafkaRecordSerializationSchema.<T>builder().setTopic(topic).setValueSerializationSchema(new JsonSerializationSchema<T>()).build());
    BATCHES.forEach(sink::setProperty);
    return sink.build();
  }

  private static Euros euros(Bid bid) {
    Euros euros = new Euros();
    euros.auction = bid.auction;
    euros.bidder = bid.bidder;
    euros.price = BigDecimal.valueOf(bid.price * 908, 3);
    euros.channel = bid.channel;
    euros.url = bid.url;
    euros.dateTime = bid.dateTime;
    euros.extra = bid.extra;
    return euros;
  }

  private static Two two(Bid bid) {
    Two two = new Two();
    two.auction = bid.auction;
    two.price = bid.price;
    return two;
  }
}
