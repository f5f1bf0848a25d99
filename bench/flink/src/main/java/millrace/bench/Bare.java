package millrace.bench;

/** The generator without an engine: with the reading of the sinks, as bench/bare.ts, or every event into the hash. */
final class Bare {
  /** The loop in calls, so that it is compiled as a method and not only by on-stack replacement. */
  private static final long CHUNK = 1 << 20;

  private Bare() {}

  static void run() {
    NexmarkGenerator generator = new NexmarkGenerator();
    for (long from = 0; ; from += CHUNK) if (read(generator, from)) return;
  }

  static void hash(RowHash hash) {
    NexmarkGenerator g = new NexmarkGenerator();
    for (long n = 0; !Measure.isEnd(n); n++) {
      switch (g.event(n)) {
        case NexmarkGenerator.PERSON -> hash.add(new Object[] {g.id, g.name, g.email, g.creditCard, g.city, g.state, g.dateTime, g.extra});
        case NexmarkGenerator.AUCTION -> hash.add(new Object[] {g.id, g.itemName, g.description, g.initialBid, g.reserve, g.dateTime, g.expires, g.seller, g.category, g.extra});
        default -> hash.add(new Object[] {g.auction, g.bidder, g.price, g.channel, g.url, g.dateTime, g.extra});
      }
    }
  }

  private static boolean read(NexmarkGenerator generator, long from) {
    long rows = 0, sum = 0;
    boolean isEnd = false;
    for (long n = from; n < from + CHUNK; n++) {
      isEnd = Measure.isEnd(n);
      if (isEnd) break;
      if (generator.event(n) == NexmarkGenerator.BID) { rows++; sum += Reading.generated(generator); }
      else sum += Reading.text(generator.extra);
    }
    Measure.addRows(rows, sum);
    return isEnd;
  }
}
