// Asks Kafka's own classes what they make of small files and of names, and records the answers for the Go tests of
// package logdir, which need no Java. Kafka 4.2.0 was used: java -cp 'LIBS/*' Oracle.java OUTPUT_DIR

import java.io.File;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.metadata.properties.MetaProperties;
import org.apache.kafka.metadata.properties.PropertiesUtils;
import org.apache.kafka.raft.ElectionState;
import org.apache.kafka.raft.FileQuorumStateStore;
import org.apache.kafka.storage.internals.log.LocalLog;

public class Oracle {
    static final HexFormat HEX = HexFormat.of();

    static String hex(byte[] b) { return "x" + HEX.formatHex(b); }
    static String hex(String s) { return hex(s.getBytes(StandardCharsets.ISO_8859_1)); }
    static String hex16(String s) { return hex(s.getBytes(StandardCharsets.UTF_8)); }

    static List<byte[]> mutations(Random random, String[] seeds, String alphabet, int each) {
        List<byte[]> out = new ArrayList<>();
        for (String s : seeds) {
            byte[] whole = s.getBytes(StandardCharsets.ISO_8859_1);
            out.add(whole);
            for (int i = 0; i < each; i++) {
                StringBuilder b = new StringBuilder(s);
                for (int n = 1 + random.nextInt(3); n > 0 && b.length() > 0; n--) {
                    int at = random.nextInt(b.length());
                    char c = alphabet.charAt(random.nextInt(alphabet.length()));
                    switch (random.nextInt(3)) {
                        case 0 -> b.setCharAt(at, c);
                        case 1 -> b.insert(at, c);
                        default -> b.delete(at, Math.min(b.length(), at + 1 + random.nextInt(4)));
                    }
                }
                out.add(b.toString().getBytes(StandardCharsets.ISO_8859_1));
            }
        }
        return out;
    }

    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[0]);
        Path tmp = Files.createTempFile("oracle", ".txt");
        Random random = new Random(20261124);
        String[] meta = {
            "#\n#Thu Nov 13 09:12:33 UTC 2025\nnode.id=3\ndirectory.id=AQEBAQEBAQEBAQEBAQEBAQ\nversion=1\ncluster.id=5L6g3nShT-eMCtK--X86sw\n",
            "version=0\nbroker.id=7\ncluster.id=abc\n",
            "broker.id = 7\r\n! comment\r\ncluster.id : a\\\n   b\\u0041\\t\n",
            "version=1\nnode.id=4\ncluster.id=\n",
            "version=1\nnode.id=4\ncluster.id=${user.home}\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAA\n",
            "version:1\nnode.id\\\n=4\ncluster.id=x\rdirectory.id=AQEBAQEBAQEBAQEBAQEBAQ==",
        };
        try (PrintWriter out = new PrintWriter(dir.resolve("meta-properties.txt").toFile())) {
            for (byte[] in : mutations(random, meta, "=: \\\n\r\t\f#!01u-+.\u00e9x$", 60)) {
                Files.write(tmp, in);
                out.print(hex(in) + " ");
                try {
                    MetaProperties m = new MetaProperties.Builder(PropertiesUtils.readPropertiesFile(tmp.toString())).build();
                    out.printf("%d %s %s %s%n", m.version().number(), m.clusterId().map(Oracle::hex16).orElse("-"),
                        m.nodeId().isPresent() ? m.nodeId().getAsInt() : "-", m.directoryId().map(Object::toString).orElse("-"));
                } catch (Exception e) {
                    out.println("! " + String.valueOf(e.getMessage()).replace("\n", " ").replace("\r", " "));
                }
            }
        }
        String[] quorum = {
            "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":39,\"votedId\":-1,\"appliedOffset\":0,\"currentVoters\":[{\"voterId\":1},{\"voterId\":2}],\"data_version\":0}",
            "{\"leaderId\":1,\"leaderEpoch\":3,\"votedId\":2,\"votedDirectoryId\":\"AQEBAQEBAQEBAQEBAQEBAQ\",\"data_version\":1}",
            "{\"clusterId\":\"\",\"leaderId\":-1,\"leaderEpoch\":4,\"votedId\":5,\"appliedOffset\":0,\"currentVoters\":null,\"data_version\":0}",
            "{\"leaderId\":1,\"leaderEpoch\":3,\"votedId\":-1,\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":2}",
        };
        try (PrintWriter out = new PrintWriter(dir.resolve("quorum-state.txt").toFile())) {
            for (byte[] in : mutations(random, quorum, "{}[]\",:0129-\n e", 40)) {
                Path f = Files.createTempDirectory("q").resolve("quorum-state");
                Files.write(f, in);
                out.print(hex(in) + " ");
                try {
                    Optional<ElectionState> e = new FileQuorumStateStore(f.toFile()).readElectionState();
                    ElectionState s = e.get();
                    out.printf("%d %d %s%n", s.epoch(), s.hasLeader() ? s.leaderId() : -1,
                        s.optionalVotedKey().map(k -> k.id() + "/" + k.directoryId().map(Object::toString).orElse("-")).orElse("-"));
                } catch (Exception e) {
                    out.println("!");
                }
            }
        }
        String[] names = {
            "orders-0", "my-topic.v1-12", "orders-3.0123456789abcdef0123456789abcdef-delete",
            "a-b-4.0123456789abcdef0123456789abcdef-future", "x-1.0123456789abcdef0123456789abcdef-stray",
            "lost+found", ".snapshots-1", "-1", "a-", "a-+5", "a--5", "orders-99999999999", "x-delete", "kafka-log1", "a b-1", "a b-1.u-delete",
            "__consumer_offsets-49", "a-1-delete.b-2.c-delete", "t-0.x-stray-stray",
        };
        try (PrintWriter out = new PrintWriter(dir.resolve("partition-names.txt").toFile())) {
            for (byte[] in : mutations(random, names, "-.0123 adfs+", 25)) {
                String name = new String(in, StandardCharsets.ISO_8859_1);
                out.print(hex(in) + " ");
                try {
                    TopicPartition p = LocalLog.parseTopicPartitionName(new File(name));
                    out.printf("%s %d%n", hex16(p.topic()), p.partition());
                } catch (Exception e) {
                    out.println("!");
                }
            }
        }
    }
}
