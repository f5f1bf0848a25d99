package millrace.bench;

import java.lang.management.ManagementFactory;

/**
 * What a run is counted by: CPU time of the whole process (operators, garbage collection, compiling, checkpoints) from
 * the mark in the source to the end of the job. Either the events are given, or the mark is set after so many seconds of
 * CPU from the first event, and the end comes so many after it.
 */
final class Measure {
  /** How often the CPU time is looked at. */
  private static final long EVENTS_BETWEEN = 10_000;

  private static long events = Long.MAX_VALUE;
  private static double warmSeconds, countedSeconds;
  private static double firstAt = -1, markAt = -1;
  private static long mark, end;
  private static long rows, checksum;

  private Measure() {}

  static void runFor(long givenEvents) { events = givenEvents; }
  static void runFor(double warm, double counted) { warmSeconds = warm; countedSeconds = counted; }

  /** Asked by the source before event n. */
  static boolean isEnd(long n) {
    if (n % EVENTS_BETWEEN == 0 || n == events) return look(n);
    return false;
  }

  private static boolean look(long n) {
    double now = cpuSeconds();
    if (firstAt < 0) firstAt = now;
    if (markAt < 0 && now - firstAt >= warmSeconds) { markAt = now; mark = n; }
    else if (events == Long.MAX_VALUE ? markAt >= 0 && now - markAt >= countedSeconds : n >= events) { end = n; return true; }
    return false;
  }

  static synchronized void addRows(long count, long sum) { rows += count; checksum += sum; }

  /** The one line of a run, read by bench/flink.ts. `hash` is null without one. */
  static void report(RowHash hash) {
    long count = hash == null ? rows : hash.count();
    print(end - mark, cpuSeconds() - markAt, count, hash);
  }

  /** As report, of what was measured elsewhere. */
  static void reportBetween(long count, double seconds) { print(count, seconds, 0, null); }

  private static void print(long count, double seconds, long rows, RowHash hash) {
    System.out.printf("RESULT {\"events\":%d,\"cpuSeconds\":%.3f,\"nsPerEvent\":%.2f,\"rows\":%d,\"checksum\":%d,\"hash\":\"%s\",\"finalRows\":%d}%n",
        count, seconds, seconds * 1e9 / Math.max(1, count), rows, checksum, hash == null ? "" : Long.toHexString(hash.sum()), hash == null ? 0 : hash.finalRows());
  }

  static double cpuSeconds() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
  }
}
