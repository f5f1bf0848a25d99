package millrace.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * One query (or `bare`) in one process, JobManager and TaskManager included. Arguments are name=value:
 * query; api=datastream|sql; checkpoints=folder; either warm= and counted= in CPU seconds or events=;
 * miniBatch=true; hash=columns to check the results, with key= number of leading columns that are the key. Queries of
 * Kafka take brokers= and events= between its two topics instead.
 */
public final class FlinkBench {
  private FlinkBench() {}

  public static void main(String[] args) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (String arg : args) options.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
    if (options.containsKey("brokers")) {
      double seconds = KafkaQueries.secondsBetween(options.get("query"), options.get("brokers"), configuration(options.get("checkpoints")));
      Measure.reportBetween(Long.parseLong(options.get("events")), seconds);
      System.exit(0);
    }
    if (options.containsKey("events")) Measure.runFor(Long.parseLong(options.get("events")));
    else Measure.runFor(Double.parseDouble(options.get("warm")), Double.parseDouble(options.get("counted")));
    if (options.containsKey("hash")) {
      BlackholeSink.hash = new RowHash(Integer.parseInt(options.get("key")));
      BlackholeTable.hashedColumns = List.of(options.get("hash").split(","));
    }
    if (!options.get("query").equals("bare")) run(options);
    else if (BlackholeSink.hash == null) Bare.run();
    else Bare.hash(BlackholeSink.hash);
    Measure.report(BlackholeSink.hash);
    System.exit(0);
  }

  private static void run(Map<String, String> options) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, configuration(options.get("checkpoints")));
    if (options.get("api").equals("sql")) {
      runSql(options.get("query"), Boolean.parseBoolean(options.get("miniBatch")), env);
    } else {
      DataStreamQueries.add(options.get("query"), env);
      env.execute();
    }
  }

  private static Configuration configuration(String checkpoints) {
    Configuration configuration = new Configuration();
    configuration.setString("execution.checkpointing.interval", "10 s");
    configuration.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    configuration.setString("execution.checkpointing.storage", "filesystem");
    configuration.setString("execution.checkpointing.dir", "file://" + checkpoints);
    // as in the configuration of nexmark/nexmark
    configuration.setString("execution.checkpointing.checkpoints-after-tasks-finish", "false");
    configuration.setString("state.backend.type", "hashmap");
    configuration.setString("pipeline.object-reuse", "true");
    configuration.setString("restart-strategy.type", "none");
    configuration.setString("taskmanager.memory.managed.size", "64m");
    configuration.setString("taskmanager.memory.network.min", "128m");
    configuration.setString("taskmanager.memory.network.max", "128m");
    configuration.setString("execution.buffer-timeout.interval", "100 ms");
    configuration.setString("pipeline.max-parallelism", "128");
    return configuration;
  }

  private static void runSql(String query, boolean isMiniBatch, StreamExecutionEnvironment env) throws Exception {
    StreamTableEnvironment tables = StreamTableEnvironment.create(env, EnvironmentSettings.inStreamingMode());
    tables.getConfig().set("table.local-time-zone", "UTC");
    if (isMiniBatch) {
      tables.getConfig().set("table.exec.mini-batch.enabled", "true");
      tables.getConfig().set("table.exec.mini-batch.allow-latency", "2 s");
      tables.getConfig().set("table.exec.mini-batch.size", "50000");
      tables.getConfig().set("table.optimizer.distinct-agg.split.enabled", "true");
    }
    for (String statement : (text("tables") + text(query)).split(";")) {
      if (statement.isBlank()) continue;
      if (statement.strip().startsWith("INSERT")) tables.executeSql(statement).await();
      else tables.executeSql(statement);
    }
  }

  private static String text(String name) throws IOException {
    try (InputStream file = FlinkBench.class.getResourceAsStream("/sql/" + name + ".sql")) {
      if (file == null) throw new IllegalArgumentException("no SQL for " + name);
      return new String(file.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
