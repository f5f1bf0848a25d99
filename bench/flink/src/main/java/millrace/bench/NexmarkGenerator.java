package millrace.bench;

import java.nio.charset.StandardCharsets;

/**
 * The generator of runtime/connectors/nexmark/generator.ts in Java: event n depends only on n, and every field is equal.
 * One object holds the fields of the event made last.
 */
public final class NexmarkGenerator {
  public static final int PERSON = 0, AUCTION = 1, BID = 2;

  private static final long START = 1436918400000L, EVENTS_PER_SECOND = 100_000;
  private static final int FILLER_LENGTH = 1 << 20;
  private static final String[] STATES = {"AZ", "CA", "ID", "OR", "WA", "WY"};
  private static final String[] CITIES =
      {"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"};
  private static final String[] FIRST_NAMES = {"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"};
  private static final String[] LAST_NAMES = {"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"};
  private static final String[] HOT_CHANNELS = {"Google", "Facebook", "Baidu", "Apple"};
  private static final String[] HOT_URLS = new String[4], CHANNELS = new String[10_000], URLS = new String[10_000], DIGITS = new String[10_000];
  private static final long[] PRICES = new long[1025];
  private static final String FILLER;

  static {
    double price = 100.0;
    for (int i = 0; i < PRICES.length; i++) { PRICES[i] = (long) Math.floor(price); price *= 1.0135831333340657; }
    NexmarkGenerator draws = new NexmarkGenerator();
    byte[] letters = new byte[FILLER_LENGTH];
    for (int i = 0; i < letters.length; i++) letters[i] = (byte) ('a' + draws.draw(26));
    FILLER = new String(letters, StandardCharsets.ISO_8859_1);
    for (int i = 0; i < HOT_URLS.length; i++) HOT_URLS[i] = draws.baseUrl();
    for (int i = 0; i < 10_000; i++) {
      DIGITS[i] = String.format("%04d", i);
      CHANNELS[i] = "channel-" + i;
      String url = draws.baseUrl();
      URLS[i] = draws.draw(10) > 0 ? url + "&channel_id=" + Math.abs((long) Integer.reverse(i)) : url;
    }
  }

  public int kind;
  public long dateTime;
  public String extra;
  /** Of a person and of an auction. */
  public long id;
  public String name, email, creditCard, city, state;
  public String itemName, description;
  public long initialBid, reserve, expires, seller, category;
  public long auction, bidder, price;
  public String channel, url;

  private int random = 0x0C0FFEE1;
  private final char[] word = new char[128];

  /** Fills the fields with event n and returns its kind. */
  public int event(long n) {
    random = mix((int) n ^ mix((int) (n >>> 32) + 0x9E3779B9));
    dateTime = timeOf(n);
    int phase = (int) (n % 50);
    if (phase >= 4) bid(n);
    else if (phase >= 1) auction(n);
    else person(n);
    return kind;
  }

  private void bid(long n) {
    kind = BID;
    auction = (draw(2) > 0 ? lastAuction(n) / 100 * 100 : anyAuction(n)) + 1000;
    bidder = (draw(4) > 0 ? lastPerson(n) / 100 * 100 + 1 : anyPerson(n)) + 1000;
    price = price();
    if (draw(2) > 0) { int i = draw(4); channel = HOT_CHANNELS[i]; url = HOT_URLS[i]; }
    else { int i = draw(10_000); channel = CHANNELS[i]; url = URLS[i]; }
    extra = filler(32, 100);
  }

  private void auction(long n) {
    kind = AUCTION;
    id = lastAuction(n) + 1000;
    seller = (draw(4) > 0 ? lastPerson(n) / 100 * 100 : anyPerson(n)) + 1000;
    category = 10 + draw(5);
    initialBid = price();
    long horizon = timeOf(n + 1666) - dateTime;
    expires = dateTime + 1 + draw((int) Math.max(horizon * 2, 1));
    itemName = words(20, ' ');
    description = words(100, ' ');
    reserve = initialBid + price();
    extra = filler(48 + itemName.length() + description.length(), 500);
  }

  private void person(long n) {
    kind = PERSON;
    id = lastPerson(n) + 1000;
    name = FIRST_NAMES[draw(11)] + " " + LAST_NAMES[draw(9)];
    email = words(7, ' ') + "@" + words(5, ' ') + ".com";
    creditCard = DIGITS[draw(10_000)] + " " + DIGITS[draw(10_000)] + " " + DIGITS[draw(10_000)] + " " + DIGITS[draw(10_000)];
    city = CITIES[draw(10)];
    state = STATES[draw(6)];
    extra = filler(8 + name.length() + email.length() + creditCard.length() + city.length() + state.length(), 200);
  }

  private static long timeOf(long n) { return START + n * 1000 / EVENTS_PER_SECOND; }

  private static int mix(int z) {
    z ^= z >>> 16; z *= 0x21f0aaad; z ^= z >>> 15; z *= 0x735a2d97; z ^= z >>> 15;
    return z;
  }

  private int next() { random += 0x9E3779B9; return mix(random); }

  /** Uniform in [0, below). */
  private int draw(int below) { return (int) (((next() & 0xffffffffL) * below) >>> 32); }

  /** Log-uniform from 100 to 10^8. */
  private long price() {
    int bits = next(), i = bits >>> 22, fraction = (bits >>> 12) & 1023;
    return PRICES[i] + (((PRICES[i + 1] - PRICES[i]) * fraction) >> 10);
  }

  private String words(int max, char special) {
    int length = 3 + draw(max - 3);
    for (int i = 0; i < length; i++) { int letter = draw(338); word[i] = letter < 26 ? special : (char) ('a' + letter % 26); }
    return new String(word, 0, length).trim();
  }

  private String baseUrl() {
    return "https://www.nexmark.com/" + words(5, '_') + '/' + words(5, '_') + '/' + words(5, '_') + "/item.htm?query=1";
  }

  /** Text that brings an event of `current` bytes to about `average`. */
  private String filler(int current, int average) {
    if (current > average) return "";
    int missing = average - current, spread = (2 * missing + 5) / 10;
    int length = missing - spread + (spread == 0 ? 0 : draw(2 * spread));
    int offset = draw(FILLER_LENGTH - length);
    return FILLER.substring(offset, offset + length);
  }

  private static long lastPerson(long n) { return n / 50; }

  private static long lastAuction(long n) {
    long epoch = n / 50, phase = n % 50;
    if (phase < 1) return (epoch - 1) * 3 + 2;
    return epoch * 3 + (phase >= 4 ? 2 : phase - 1);
  }

  private long anyPerson(long n) {
    long count = lastPerson(n) + 1, active = Math.min(count, 1000);
    return count - active + draw((int) active + 10);
  }

  private long anyAuction(long n) {
    long last = lastAuction(n), first = Math.max(last - 100, 0);
    return first + draw((int) (last - first) + 11);
  }
}
