package millrace.bench;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.Map;

/**
 * The hash of bench/row-hash.ts: the sum, mod 2^48, of the first 48 bits of the MD5 of each row's text, so that the order
 * of rows does not matter. With a key (the first `keyFields` values) only the last row of each key is in the sum.
 */
final class RowHash {
  private static final long MASK = (1L << 48) - 1;

  private final int keyFields;
  private final Map<String, Long> last = new HashMap<>();
  private final MessageDigest md5;
  private long count, sum;

  /** `keyFields` < 0: every row counts. */
  RowHash(int keyFields) {
    this.keyFields = keyFields;
    try { md5 = MessageDigest.getInstance("MD5"); } catch (NoSuchAlgorithmException e) { throw new IllegalStateException(e); }
  }

  void add(Object[] row) {
    long hash = hashOf(text(row, row.length));
    count++;
    sum = (sum + hash) & MASK;
    if (keyFields < 0) return;
    Long before = last.put(text(row, keyFields), hash);
    if (before != null) sum = (sum - before) & MASK;
  }

  /** Takes a row of a key back. */
  void remove(Object[] row) {
    count++;
    Long before = last.remove(text(row, keyFields));
    if (before != null) sum = (sum - before) & MASK;
  }

  /** Rows that came, those that were replaced included. */
  long count() { return count; }
  long finalRows() { return keyFields < 0 ? count : last.size(); }
  long sum() { return sum; }

  private static String text(Object[] row, int fields) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < fields; i++) text.append(textOf(row[i])).append('\u001f');
    return text.toString();
  }

  private static String textOf(Object value) {
    if (value == null) return "\0";
    return value instanceof Double d ? String.format("%016x", Double.doubleToRawLongBits(d)) : value.toString();
  }

  private long hashOf(String text) {
    byte[] digest = md5.digest(text.getBytes(StandardCharsets.UTF_8));
    long hash = 0;
    for (int i = 0; i < 6; i++) hash = hash << 8 | digest[i] & 255;
    return hash;
  }
}
