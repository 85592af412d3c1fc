// Writes record batches with Kafka's own classes and records what Kafka itself makes of them, and of damaged copies.
// Run with Kafka's jars (4.2.0 was used) as: java -cp 'LIBS/*' Oracle.java OUTPUT_DIR
// The Go tests of package batch compare against what it wrote; they need no Java.

import java.io.File;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.utils.Crc32C;

public class Oracle {
    static final HexFormat HEX = HexFormat.of();

    static byte[] utf8(String s) { return s == null ? null : s.getBytes(StandardCharsets.UTF_8); }

    static MemoryRecords batch(CompressionType type, long baseOffset, int epoch, long producerId, int seed, int count) {
        SimpleRecord[] records = new SimpleRecord[count];
        for (int i = 0; i < count; i++) {
            String key = (seed + i) % 3 == 0 ? null : "key-" + seed + "-" + i;
            String value = (seed + i) % 4 == 3 ? null : (seed + i) % 5 == 4 ? "" : ("value " + i + " ").repeat(1 + i % 7);
            Header[] headers = i % 2 == 0 ? new Header[0]
                : new Header[] {new RecordHeader("h" + i, utf8("x" + seed)), new RecordHeader("", null)};
            records[i] = new SimpleRecord(1700000000000L + 1000L * seed + 7L * i - (i % 3 == 2 ? 5000 : 0), utf8(key), utf8(value), headers);
        }
        Compression c = Compression.of(type).build();
        if (producerId >= 0)
            return MemoryRecords.withTransactionalRecords(baseOffset, c, producerId, (short) 3, 40 + seed, epoch, records);
        return MemoryRecords.withRecords(baseOffset, c, epoch, records);
    }

    static byte[] bytes(List<MemoryRecords> list) {
        int n = list.stream().mapToInt(MemoryRecords::sizeInBytes).sum();
        ByteBuffer out = ByteBuffer.allocate(n);
        for (MemoryRecords r : list) out.put(r.buffer().duplicate());
        return out.array();
    }

    static MemoryRecords leaderChange(long offset, int epoch) {
        LeaderChangeMessage m = new LeaderChangeMessage().setVersion((short) 0).setLeaderId(3)
            .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(3), new LeaderChangeMessage.Voter().setVoterId(4)))
            .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(3)));
        return MemoryRecords.withLeaderChangeMessage(offset, 1700000000000L, epoch, ByteBuffer.allocate(512), m);
    }

    static String hex(ByteBuffer b) {
        if (b == null) return "-";
        byte[] a = new byte[b.remaining()];
        b.duplicate().get(a);
        return "x" + HEX.formatHex(a);
    }

    static void dump(PrintWriter out, File f) throws Exception {
        try (FileRecords records = FileRecords.open(f, false)) {
            for (FileLogInputStream.FileChannelRecordBatch b : records.batches()) {
                out.printf("batch %d %d %d %d %d %s %d %d %d %d %d %d %b %b %d%n", b.baseOffset(), b.lastOffset(), b.position(),
                    b.sizeInBytes(), b.checksum(), b.compressionType().name, b.magic(), b.partitionLeaderEpoch(), b.maxTimestamp(),
                    b.producerId(), b.producerEpoch(), b.baseSequence(), b.isTransactional(), b.isControlBatch(), b.countOrNull());
                for (Record r : b) {
                    StringBuilder headers = new StringBuilder();
                    for (Header h : r.headers())
                        headers.append(" x").append(HEX.formatHex(utf8(h.key()))).append("=").append(h.value() == null ? "-" : "x" + HEX.formatHex(h.value()));
                    out.printf("record %d %d %d %d %s %s%s%n", r.offset(), r.timestamp(), r.sequence(), r.sizeInBytes(), hex(r.key()), hex(r.value()), headers);
                }
            }
        }
    }

    // What LogSegment.recover keeps of a file: the valid bytes. Minus one where Kafka fails in another way.
    static int recover(File f) throws Exception {
        int valid = 0;
        try (FileRecords records = FileRecords.open(f, false)) {
            for (FileLogInputStream.FileChannelRecordBatch b : records.batches()) {
                b.ensureValid();
                valid += b.sizeInBytes();
            }
        } catch (org.apache.kafka.common.errors.CorruptRecordException | org.apache.kafka.common.InvalidRecordException e) {
            return valid;
        }
        return valid;
    }

    // How many records Kafka reads of the first batch, and a checksum over them; "!" after it when it then fails.
    static String readAll(byte[] data) {
        int n = 0;
        StringBuilder all = new StringBuilder();
        try {
            for (RecordBatch b : MemoryRecords.readableRecords(ByteBuffer.wrap(data)).batches()) {
                b.ensureValid();
                try (var it = b.streamingIterator(org.apache.kafka.common.utils.BufferSupplier.NO_CACHING)) {
                    while (it.hasNext()) {
                        Record r = it.next();
                        all.append(r.offset()).append(' ').append(r.timestamp()).append(' ').append(hex(r.key())).append(' ').append(hex(r.value()));
                        for (Header h : r.headers()) all.append(' ').append("x" + HEX.formatHex(utf8(h.key()))).append('=').append(h.value() == null ? "-" : "x" + HEX.formatHex(h.value()));
                        all.append('\n');
                        n++;
                    }
                }
            }
        } catch (Throwable e) {
            return n + "!";
        }
        byte[] a = utf8(all.toString());
        return n + ":" + Crc32C.compute(a, 0, a.length);
    }

    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[0]);
        CompressionType[] types = {CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4, CompressionType.ZSTD};
        for (CompressionType t : types) {
            List<MemoryRecords> list = new ArrayList<>();
            list.add(batch(t, 100, 5, -1, 1, 12));
            list.add(batch(t, 112, 5, 4711, 2, 1));
            list.add(batch(t, 113, 6, -1, 3, 40));
            list.add(MemoryRecords.withEndTransactionMarker(153, 1700000000000L, 6, 4711, (short) 3, new EndTransactionMarker(ControlRecordType.COMMIT, 9)));
            Path f = dir.resolve("codec-" + t.name + ".log");
            Files.write(f, bytes(list));
            try (PrintWriter out = new PrintWriter(dir.resolve("codec-" + t.name + ".txt").toFile())) { dump(out, f.toFile()); }
        }
        // A small log of every codec, damaged in every way: each bit flipped, each length.
        List<MemoryRecords> list = new ArrayList<>();
        list.add(leaderChange(0, 1));
        long offset = 1;
        for (CompressionType t : types) { list.add(batch(t, offset, 2, -1, (int) offset, 3)); offset += 3; }
        byte[] small = bytes(list);
        Files.write(dir.resolve("small.log"), small);
        File tmp = File.createTempFile("oracle", ".log");
        try (PrintWriter out = new PrintWriter(dir.resolve("small-flips.txt").toFile())) {
            for (int i = 0; i < small.length; i++) {
                StringBuilder line = new StringBuilder();
                for (int bit = 0; bit < 8; bit++) {
                    byte[] copy = small.clone();
                    copy[i] ^= (byte) (1 << bit);
                    Files.write(tmp.toPath(), copy);
                    line.append(bit == 0 ? "" : " ").append(recover(tmp));
                }
                out.println(line);
            }
        }
        try (PrintWriter out = new PrintWriter(dir.resolve("small-lengths.txt").toFile())) {
            for (int n = 0; n <= small.length; n++) {
                Files.write(tmp.toPath(), java.util.Arrays.copyOf(small, n));
                out.println(recover(tmp));
            }
        }
        // Damage behind a right CRC: what Kafka's decompressors and record reader make of it.
        try (PrintWriter out = new PrintWriter(dir.resolve("small-records.txt").toFile())) {
            int start = 0;
            for (int b = 0; b < list.size(); b++) {
                byte[] one = bytes(List.of(list.get(b)));
                out.printf("batch %d %d %s%n", start, one.length, readAll(one));
                start += one.length;
                for (int i = 57; i < one.length; i++) {
                    StringBuilder line = new StringBuilder();
                    for (int bit = 0; bit < 8; bit++) {
                        byte[] copy = one.clone();
                        copy[i] ^= (byte) (1 << bit);
                        ByteBuffer.wrap(copy).putInt(17, (int) Crc32C.compute(copy, 21, copy.length - 21));
                        line.append(bit == 0 ? "" : " ").append(readAll(copy));
                    }
                    out.println(line);
                }
            }
        }
        tmp.delete();
    }
}
