package millrace.bench;

/** Reads every field of a record, so that nothing computed can be left out: numbers, and length and three characters of texts, as bench/read-all.ts does. */
final class Reading {
  private Reading() {}

  static long text(String s) {
    int length = s.length();
    return length == 0 ? 1 : length + ((long) s.charAt(0) << 8) + ((long) s.charAt(length >> 1) << 16) + ((long) s.charAt(length - 1) << 24);
  }

  static long bid(Event.Bid b) {
    return (b.auction * 31 + b.bidder) * 31 + b.price + b.dateTime * 7 + text(b.channel) + text(b.url) * 3 + text(b.extra) * 5;
  }

  static long euros(Event.Euros b) {
    return (b.auction * 31 + b.bidder) * 31 + (long) b.price + b.dateTime * 7 + text(b.channel) + text(b.url) * 3 + text(b.extra) * 5;
  }

  /** The bid in the generator's fields. */
  static long generated(NexmarkGenerator g) {
    return (g.auction * 31 + g.bidder) * 31 + g.price + g.dateTime * 7 + text(g.channel) + text(g.url) * 3 + text(g.extra) * 5;
  }
}
