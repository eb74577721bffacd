// Writes the golden files of this folder with Kafka's own Java client, and reads batches with it.
// Outside the build; needs the kafka-clients 4.4.0 jar and the jars it depends on (slf4j-api, lz4-java,
// snappy-java, zstd-jni) on the class path:
//   java -cp kafka-clients-4.4.0.jar:slf4j-api.jar:... tests/golden/records/MakeRecords.java make tests/golden/records
//   java -cp ... MakeRecords.java murmur2 > tests/golden/records/murmur2.txt
//   java -cp ... MakeRecords.java read FILE   (hex in, the same lines out)
//   java -cp ... MakeRecords.java again FILE...   (golden files of other writers: what Java reads from
//                                                  their bytes put in place of the lines)
// A golden file: "hex" lines with the bytes of a Fetch response's records field, then what the Java
// client reads from them, a line for each batch (v2 only) and each record.
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.utils.Utils;

public class MakeRecords {
  static final Compression NONE = Compression.NONE;
  static final Compression GZIP = Compression.gzip().build();
  static final Compression LZ4 = Compression.lz4().build();
  static final Compression SNAPPY = Compression.snappy().build();
  static final Compression ZSTD = Compression.zstd().build();
  static final TimestampType CREATE = TimestampType.CREATE_TIME;
  static final TimestampType APPEND = TimestampType.LOG_APPEND_TIME;
  static final long T = 1700000000000L;

  static byte[] b(String s) { return s == null ? null : s.getBytes(StandardCharsets.UTF_8); }
  static Header h(String key, String value) { return new RecordHeader(key, b(value)); }

  static String text(byte[] bytes) {
    return bytes == null ? "null" : "'" + HexFormat.of().formatHex(bytes) + "'";
  }
  static String text(ByteBuffer buffer) {
    return buffer == null ? "null" : text(Utils.toArray(buffer));
  }

  static List<String> dump(ByteBuffer bytes) {
    List<String> lines = new ArrayList<>();
    for (MutableRecordBatch batch : MemoryRecords.readableRecords(bytes).batches()) {
      batch.ensureValid();
      if (batch.magic() == 2) {
        DefaultRecordBatch v2 = (DefaultRecordBatch) batch;
        lines.add(String.format(
            "batch base=%d last=%d leader_epoch=%d crc=%08x codec=%s time=%s base_time=%d max_time=%d "
                + "producer=%d/%d sequence=%d count=%d transactional=%d control=%d",
            v2.baseOffset(), v2.lastOffset(), v2.partitionLeaderEpoch(), v2.checksum(),
            v2.compressionType().name, v2.timestampType(), v2.deleteHorizonMs().isPresent()
                ? v2.deleteHorizonMs().getAsLong() : v2.baseTimestamp(), v2.maxTimestamp(),
            v2.producerId(), v2.producerEpoch(), v2.baseSequence(), v2.countOrNull(),
            v2.isTransactional() ? 1 : 0, v2.isControlBatch() ? 1 : 0));
      }
      for (Record record : batch) {
        StringBuilder line = new StringBuilder();
        line.append(String.format("record offset=%d time=%d key=%s value=%s", record.offset(),
            record.timestamp(), text(record.key()), text(record.value())));
        for (Header header : record.headers()) {
          line.append(" ").append(text(b(header.key()))).append("=").append(text(header.value()));
        }
        if (batch.isControlBatch()) {
          ControlRecordType type = ControlRecordType.parse(record.key());
          line.append(" control=").append(type == ControlRecordType.ABORT ? "abort"
              : type == ControlRecordType.COMMIT ? "commit" : "other");
          if (type == ControlRecordType.ABORT || type == ControlRecordType.COMMIT) {
            line.append("/").append(EndTransactionMarker.deserialize(record).coordinatorEpoch());
          }
        }
        lines.add(line.toString());
      }
    }
    return lines;
  }

  static Path folder;

  static void write(String name, String what, ByteBuffer... parts) throws IOException {
    int size = 0;
    for (ByteBuffer part : parts) size += part.remaining();
    ByteBuffer all = ByteBuffer.allocate(size);
    for (ByteBuffer part : parts) all.put(part.duplicate());
    all.flip();
    List<String> lines = new ArrayList<>();
    lines.add("# " + what + ". Written by MakeRecords.java with kafka-clients 4.4.0.");
    String hex = HexFormat.of().formatHex(Utils.toArray(all));
    for (int i = 0; i < hex.length(); i += 96) {
      lines.add("hex " + hex.substring(i, Math.min(hex.length(), i + 96)));
    }
    lines.addAll(dump(all));
    Files.write(folder.resolve(name + ".hex"), lines);
  }

  static MemoryRecordsBuilder builder(int magic, Compression c, TimestampType type, long base) {
    return MemoryRecords.builder(ByteBuffer.allocate(1 << 16), (byte) magic, c, type, base,
        type == APPEND ? T + 777 : -1L, -1L, (short) -1, -1, false, 5);
  }

  static ByteBuffer odd(MemoryRecordsBuilder builder, boolean headers) {
    Header[] none = {};
    builder.append(T, b("key"), b("value"), none);
    builder.append(T + 3, null, b("null key"), none);
    builder.append(T - 100, b("null value"), null, none);
    builder.append(T + 100000, b(""), b(""), none);
    builder.append(T + 1, (byte[]) null, (byte[]) null, none);
    if (headers) {
      builder.append(T + 2, b("k"), b("v"),
          new Header[] {h("trace", "00-11-22"), h("empty", ""), h("null", null), h("", "x"),
              h("trace", "again"), h("\u00e4\u20ac", "\u00fc")});
    }
    builder.append(T + 9, b("k".repeat(70)), b("long enough for lengths of two bytes ".repeat(5)), none);
    return builder.build().buffer();
  }

  static ByteBuffer many(MemoryRecordsBuilder builder, int count) {
    for (int i = 0; i < count; ++i) builder.append(T + i / 3, b("key-" + i % 7), b("value number " + i));
    return builder.build().buffer();
  }

  static void make() throws IOException {
    write("java_v2_plain", "v2, odd records", odd(builder(2, NONE, CREATE, 0), true));
    write("java_v2_gzip", "v2 in gzip, odd records", odd(builder(2, GZIP, CREATE, 123456789012L), true));
    write("java_v2_gzip_many", "v2 in gzip, 200 records", many(builder(2, GZIP, CREATE, 1000), 200));
    for (Compression codec : List.of(LZ4, SNAPPY, ZSTD)) {
      String name = codec.type().name;
      write("java_v2_" + name, "v2 in " + name + ", odd records", odd(builder(2, codec, CREATE, 123456789012L), true));
      write("java_v2_" + name + "_many", "v2 in " + name + ", 200 records", many(builder(2, codec, CREATE, 1000), 200));
    }
    for (Compression codec : List.of(LZ4, SNAPPY)) {
      String name = codec.type().name;
      write("java_v1_" + name, "v1 in " + name, odd(builder(1, codec, CREATE, 10), false));
    }
    write("java_v0_snappy", "v0 in snappy",
        odd(builder(0, SNAPPY, TimestampType.NO_TIMESTAMP_TYPE, 10), false));
    write("java_v2_append_time", "v2, stamped by the broker", odd(builder(2, NONE, APPEND, 7), true));
    ByteBuffer transactional = many(MemoryRecords.builder(ByteBuffer.allocate(4096), (byte) 2, NONE,
        CREATE, 40L, -1L, 4000000001L, (short) 3, 2147483640, true, 9), 12);
    ByteBuffer commit = MemoryRecords.withEndTransactionMarker(52L, T + 5, 9, 4000000001L, (short) 3,
        new EndTransactionMarker(ControlRecordType.COMMIT, 11)).buffer();
    ByteBuffer abort = MemoryRecords.withEndTransactionMarker(53L, T + 6, 9, 4000000002L, (short) 0,
        new EndTransactionMarker(ControlRecordType.ABORT, 12)).buffer();
    ByteBuffer leader = MemoryRecords.withLeaderChangeMessage(54L, T + 7, 10, ByteBuffer.allocate(256),
        new LeaderChangeMessage().setVersion((short) 0).setLeaderId(1)).buffer();
    write("java_v2_transaction", "v2, a transaction, commit and abort markers, a leader change",
        transactional, commit, abort, leader);
    MemoryRecordsBuilder gaps = builder(2, NONE, CREATE, 100);
    gaps.appendWithOffset(103, T, b("a"), b("1"));
    gaps.appendWithOffset(150, T + 1, b("b"), b("2"));
    gaps.appendWithOffset(20000, T + 2, b("c"), b("3"));
    gaps.overrideLastOffset(300000);
    ByteBuffer empty = ByteBuffer.allocate(61);
    DefaultRecordBatch.writeEmptyHeader(empty, (byte) 2, 77L, (short) 1, 5, 300001L, 300005L, 6, CREATE,
        T, true, false);
    empty.flip();
    write("java_v2_compacted", "v2, offsets with gaps, last record gone; then an empty batch",
        gaps.build().buffer(), empty);
    write("java_v0_plain", "v0", odd(builder(0, NONE, TimestampType.NO_TIMESTAMP_TYPE, 10), false));
    write("java_v0_gzip", "v0 in gzip",
        odd(builder(0, GZIP, TimestampType.NO_TIMESTAMP_TYPE, 10), false));
    write("java_v1_plain", "v1", odd(builder(1, NONE, CREATE, 10), false));
    write("java_v1_gzip", "v1 in gzip", odd(builder(1, GZIP, CREATE, 10), false));
    write("java_v1_append_time", "v1, stamped by the broker", odd(builder(1, NONE, APPEND, 10), false));
    write("java_v1_gzip_append_time", "v1 in gzip, stamped by the broker",
        odd(builder(1, GZIP, APPEND, 10), false));
    write("java_mixed", "v0, v1 in gzip, v1 and v2 behind one another",
        odd(builder(0, NONE, TimestampType.NO_TIMESTAMP_TYPE, 0), false),
        many(builder(1, GZIP, CREATE, 6), 5), many(builder(1, NONE, CREATE, 11), 3),
        many(builder(2, GZIP, CREATE, 14), 4), many(builder(1, GZIP, CREATE, 18), 2));
  }

  static void again(Path file) throws IOException {
    List<String> lines = new ArrayList<>(Files.readAllLines(file));
    lines.removeIf(line -> !line.startsWith("# ") && !line.startsWith("hex "));
    StringBuilder hex = new StringBuilder();
    for (String line : lines) {
      if (line.startsWith("hex ")) hex.append(line.substring(4));
    }
    lines.addAll(dump(ByteBuffer.wrap(HexFormat.of().parseHex(hex))));
    Files.write(file, lines);
  }

  static void murmur2() {
    Random random = new Random(42);
    System.out.println("# key in hex, org.apache.kafka.common.utils.Utils.murmur2 of it (kafka-clients 4.4.0)");
    List<byte[]> keys = new ArrayList<>(List.of(b(""), b("a"), b("ab"), b("abc"), b("abcd"), b("21"),
        b("foobar"), b("a-little-bit-long-string"), b("a-little-bit-longer-string"),
        b("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), new byte[] {(byte) 0x80, -1, 0, 127}));
    for (int i = 0; i < 120; ++i) {
      byte[] key = new byte[i / 2];
      random.nextBytes(key);
      keys.add(key);
    }
    for (byte[] key : keys) {
      System.out.println("'" + HexFormat.of().formatHex(key) + "' " + Utils.murmur2(key));
    }
  }

  public static void main(String[] args) throws IOException {
    if (args[0].equals("murmur2")) {
      murmur2();
    } else if (args[0].equals("again")) {
      for (int i = 1; i < args.length; ++i) again(Path.of(args[i]));
    } else if (args[0].equals("read")) {
      String hex = Files.readString(Path.of(args[1])).replaceAll("\\s", "");
      for (String line : dump(ByteBuffer.wrap(HexFormat.of().parseHex(hex)))) System.out.println(line);
    } else {
      folder = Path.of(args[1]);
      make();
    }
  }
}
