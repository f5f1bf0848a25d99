package millrace.bench;

/** The records of the DataStream jobs: one of the three is there. */
public final class Event {
  public static final class Person {
    public long id, dateTime;
    public String name, email, creditCard, city, state, extra;
  }

  public static final class Auction {
    public long id, initialBid, reserve, dateTime, expires, seller, category;
    public String itemName, description, extra;
  }

  public static final class Bid {
    public long auction, bidder, price, dateTime;
    public String channel, url, extra;
  }

  /** A bid in euros (q1). */
  public static final class Euros {
    public long auction, bidder, dateTime;
    public double price;
    public String channel, url, extra;
  }

  public Person person;
  public Auction auction;
  public Bid bid;

  static Event of(NexmarkGenerator g) {
    Event event = new Event();
    switch (g.kind) {
      case NexmarkGenerator.PERSON -> event.person = person(g);
      case NexmarkGenerator.AUCTION -> event.auction = auction(g);
      default -> event.bid = bid(g);
    }
    return event;
  }

  private static Person person(NexmarkGenerator g) {
    Person p = new Person();
    p.id = g.id; p.name = g.name; p.email = g.email; p.creditCard = g.creditCard; p.city = g.city; p.state = g.state; p.dateTime = g.dateTime; p.extra = g.extra;
    return p;
  }

  private static Auction auction(NexmarkGenerator g) {
    Auction a = new Auction();
    a.id = g.id; a.itemName = g.itemName; a.description = g.description; a.initialBid = g.initialBid; a.reserve = g.reserve;
    a.dateTime = g.dateTime; a.expires = g.expires; a.seller = g.seller; a.category = g.category; a.extra = g.extra;
    return a;
  }

  private static Bid bid(NexmarkGenerator g) {
    Bid b = new Bid();
    b.auction = g.auction; b.bidder = g.bidder; b.price = g.price; b.channel = g.channel; b.url = g.url; b.dateTime = g.dateTime; b.extra = g.extra;
    return b;
  }

  static Euros euros(Bid bid) {
    Euros e = new Euros();
    e.auction = bid.auction; e.bidder = bid.bidder; e.price = 0.908 * bid.price; e.channel = bid.channel; e.url = bid.url; e.dateTime = bid.dateTime; e.extra = bid.extra;
    return e;
  }
}
