import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.storm.Config;
import org.apache.storm.LocalCluster;
import org.apache.storm.kafka.bolt.KafkaBolt;
import org.apache.storm.kafka.bolt.mapper.FieldNameBasedTupleToKafkaMapper;
import org.apache.storm.kafka.bolt.selector.DefaultTopicSelector;
import org.apache.storm.kafka.spout.FirstPollOffsetStrategy;
import org.apache.storm.kafka.spout.KafkaSpout;
import org.apache.storm.kafka.spout.KafkaSpoutConfig;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** A topology that runs until it is killed: servers, topic of {"n": 1}, topic of {"n": 1, "twice": 2}. */
public class Doubling {
    public static class Doubler extends BaseBasicBolt {
        @Override
        public void execute(Tuple tuple, BasicOutputCollector collector) {
            long n = Long.parseLong(tuple.getStringByField("value").replaceAll("\\D+", ""));
            collector.emit(new Values(Long.toString(n), "{\"n\":" + n + ",\"twice\":" + 2 * n + "}"));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields("key", "message"));
        }
    }

    public static void main(String[] arguments) throws Exception {
        String servers = arguments[0];
        Properties producer = new Properties();
        producer.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, servers);
        producer.put(ProducerConfig.ACKS_CONFIG, "all");
        producer.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
        producer.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());

        TopologyBuilder topology = new TopologyBuilder();
        topology.setSpout("numbers", new KafkaSpout<>(KafkaSpoutConfig.builder(servers, arguments[1])
                .setProp(ConsumerConfig.GROUP_ID_CONFIG, "doubling")
                .setProp(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed")
                .setFirstPollOffsetStrategy(FirstPollOffsetStrategy.UNCOMMITTED_EARLIEST)
                // longer than a test lets it live: the next one begins again
                .setOffsetCommitPeriodMs(600_000)
                .build()));
        topology.setBolt("doubler", new Doubler()).shuffleGrouping("numbers");
        topology.setBolt("out", new KafkaBolt<String, String>()
                .withProducerProperties(producer)
                .withTopicSelector(new DefaultTopicSelector(arguments[2]))
                .withTupleToKafkaMapper(new FieldNameBasedTupleToKafkaMapper<>("key", "message")))
                .shuffleGrouping("doubler");

        try (LocalCluster cluster = new LocalCluster()) {
            cluster.submitTopology("doubling", new Config(), topology.createTopology());
            Thread.sleep(Long.MAX_VALUE);
        }
    }
}
