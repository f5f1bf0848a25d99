import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.*;
import org.apache.hadoop.hbase.util.Bytes;
import org.apache.hadoop.hbase.util.OrderedBytes;
import org.apache.hadoop.hbase.util.SimplePositionedByteRange;

/** HBase's own client, for tests: it reads what Millrace has written. */
public class Client {
  public static void main(String[] args) throws Exception {
    try (Connection connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
        Table table = connection.getTable(TableName.valueOf(args[1]))) {
      switch (args[0]) {
        case "scan" -> scan(table);
        case "read" -> read(table, args);
        case "rate" -> rate(connection, table, Integer.parseInt(args[2]));
        default -> throw new IllegalArgumentException(args[0]);
      }
    }
  }

  /** A line a row: its key, then its cells, all in hex. */
  private static void scan(Table table) throws Exception {
    StringBuilder out = new StringBuilder();
    try (ResultScanner rows = table.getScanner(new Scan().setCaching(1000))) {
      for (Result row : rows) {
        out.append(Bytes.toHex(row.getRow()));
        for (Cell cell : row.rawCells())
          out.append(' ').append(Bytes.toString(CellUtil.cloneFamily(cell))).append(':')
              .append(Bytes.toString(CellUtil.cloneQualifier(cell))).append('=')
              .append(Bytes.toHex(CellUtil.cloneValue(cell)));
        out.append('\n');
      }
    }
    System.out.print(out);
  }

  /** Each row, its key and columns as the types in the arguments say: `key=type`, `d:name=type`. */
  private static void read(Table table, String[] args) throws Exception {
    try (ResultScanner rows = table.getScanner(new Scan())) {
      for (Result row : rows) {
        List<String> shown = new ArrayList<>();
        for (int i = 2; i < args.length; i++) {
          String name = args[i].substring(0, args[i].lastIndexOf('='));
          String type = args[i].substring(args[i].lastIndexOf('=') + 1);
          String[] column = name.split(":");
          byte[] bytes = name.equals("key") ? row.getRow() : row.getValue(Bytes.toBytes(column[0]), Bytes.toBytes(column[1]));
          shown.add(bytes == null ? "none" : show(type, bytes));
        }
        System.out.println(String.join("|", shown));
      }
    }
  }

  private static String show(String type, byte[] bytes) {
    if (type.startsWith("ordered")) return ordered(bytes);
    return switch (type) {
      case "string" -> Bytes.toString(bytes);
      case "long" -> String.valueOf(Bytes.toLong(bytes));
      case "int" -> String.valueOf(Bytes.toInt(bytes));
      case "double" -> String.valueOf(Bytes.toDouble(bytes));
      case "boolean" -> String.valueOf(Bytes.toBoolean(bytes));
      case "decimal" -> Bytes.toBigDecimal(bytes).toPlainString();
      default -> Bytes.toHex(bytes);
    };
  }

  /** The parts of a key in OrderedBytes. */
  private static String ordered(byte[] bytes) {
    SimplePositionedByteRange range = new SimplePositionedByteRange(bytes);
    List<String> parts = new ArrayList<>();
    while (range.getRemaining() > 0) {
      switch (range.peek()) {
        case 0x29 -> parts.add(String.valueOf(OrderedBytes.decodeInt8(range)));
        case 0x2c -> parts.add(String.valueOf(OrderedBytes.decodeInt64(range)));
        case 0x31 -> parts.add(String.valueOf(OrderedBytes.decodeFloat64(range)));
        case 0x34 -> parts.add(OrderedBytes.decodeString(range));
        case 0x37 -> parts.add(Bytes.toHex(OrderedBytes.decodeBlobVar(range)));
        default -> throw new IllegalArgumentException(Bytes.toHex(bytes));
      }
    }
    return String.join(",", parts);
  }

  /** Writes rows of four cells, then gets them a hundred at a time: rows/s of both. */
  private static void rate(Connection connection, Table table, int rows) throws Exception {
    for (int round = 0; round < 3; round++) {
      long start = System.nanoTime();
      try (BufferedMutator mutator = connection.getBufferedMutator(table.getName())) {
        for (int i = 0; i < rows; i++) {
          Put put = new Put(Bytes.toBytes((long) i));
          for (String column : new String[] {"a", "b", "c", "e"})
            put.addColumn(Bytes.toBytes("d"), Bytes.toBytes(column), Bytes.toBytes("value " + i + " of " + column));
          mutator.mutate(put);
        }
      }
      double written = rows / ((System.nanoTime() - start) / 1e9);
      start = System.nanoTime();
      for (int i = 0; i < rows; i += 100) {
        List<Get> gets = new ArrayList<>();
        for (int j = i; j < i + 100; j++) gets.add(new Get(Bytes.toBytes((long) j)));
        if (table.get(gets).length != 100) throw new IllegalStateException();
      }
      System.out.printf("%.0f %.0f%n", written, rows / ((System.nanoTime() - start) / 1e9));
    }
  }
}
