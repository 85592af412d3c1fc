import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.PrintStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Writes records to a cluster and tells, as JSON, everything that a recovery must bring back: cluster ID, topic IDs,
 * the number and a checksum of the records of each topic, and committed offsets. One JVM for what would take Kafka's
 * own programs five.
 *
 * <pre>
 * Ground produce --bootstrap HOST:PORT --topic T [--partitions 6] [--replication 3] [--records 1000] [--group G]
 * Ground read    --bootstrap HOST:PORT [--timeout SECONDS]
 * </pre>
 */
public final class Ground {
    private static final long DEFAULT_TIMEOUT = 60;

    private Ground() { }

    public static void main(String[] args) throws Exception {
        System.exit(run(args, System.out));
    }

    static int run(String[] args, PrintStream out) throws Exception {
        Map<String, String> flags = new HashMap<>();
        for (int i = 1; i + 1 < args.length; i += 2) {
            flags.put(args[i], args[i + 1]);
        }
        String command = args.length == 0 ? "" : args[0];
        if (!flags.containsKey("--bootstrap") || !(command.equals("produce") || command.equals("read"))) {
            System.err.println("usage: ground produce|read --bootstrap HOST:PORT ...");
            return 2;
        }
        if (command.equals("produce")) {
            produce(flags);
        }
        ObjectMapper json = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
        out.println(json.writeValueAsString(read(flags)));
        out.flush();
        return 0;
    }

    private static Properties client(Map<String, String> flags) {
        Properties p = new Properties();
        p.put("bootstrap.servers", flags.get("--bootstrap"));
        long timeout = 1000 * Long.parseLong(flags.getOrDefault("--timeout", "" + DEFAULT_TIMEOUT));
        p.put("default.api.timeout.ms", "" + timeout);
        p.put("request.timeout.ms", "" + Math.min(timeout, 30_000));
        return p;
    }

    private static void produce(Map<String, String> flags) throws Exception {
        String topic = flags.get("--topic");
        int records = Integer.parseInt(flags.getOrDefault("--records", "1000"));
        try (Admin admin = Admin.create(client(flags))) {
            try {
                admin.createTopics(List.of(new NewTopic(topic,
                    Integer.parseInt(flags.getOrDefault("--partitions", "6")),
                    Short.parseShort(flags.getOrDefault("--replication", "3"))))).all().get();
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof TopicExistsException)) {
                    throw e;
                }
            }
            Properties p = client(flags);
            p.remove("default.api.timeout.ms");
            p.put("linger.ms", "20");
            try (var producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
                var sent = new ArrayList<java.util.concurrent.Future<?>>();
                for (int i = 0; i < records; i++) {
                    sent.add(producer.send(new ProducerRecord<>(topic, "key-" + i, "record " + i + " of " + topic)));
                }
                producer.flush();
                for (var one : sent) {
                    one.get();
                }
            }
            if (flags.containsKey("--group")) {
                commit(admin, topic, flags.get("--group"));
            }
        }
    }

    /** Commits half of each partition's end offset, as a consumer that has read so far. */
    private static void commit(Admin admin, String topic, String group) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> half = new HashMap<>();
        for (Map.Entry<TopicPartition, Long> end : ends(admin, List.of(topic)).entrySet()) {
            half.put(end.getKey(), new OffsetAndMetadata(end.getValue() / 2));
        }
        admin.alterConsumerGroupOffsets(group, half).all().get();
    }

    private static Map<TopicPartition, Long> ends(Admin admin, List<String> topics) throws Exception {
        Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
        for (TopicDescription d : admin.describeTopics(topics).allTopicNames().get().values()) {
            d.partitions().forEach(p -> wanted.put(new TopicPartition(d.name(), p.partition()), OffsetSpec.latest()));
        }
        Map<TopicPartition, Long> found = new HashMap<>();
        admin.listOffsets(wanted).all().get().forEach((tp, info) -> found.put(tp, info.offset()));
        return found;
    }

    @SuppressWarnings("removal") // listConsumerGroups is what both 3.9 and 4.2 have
    private static Map<String, Object> read(Map<String, String> flags) throws Exception {
        Map<String, Object> result = new TreeMap<>();
        try (Admin admin = Admin.create(client(flags))) {
            result.put("clusterId", admin.describeCluster().clusterId().get());
            List<String> names = new ArrayList<>(admin.listTopics().names().get());
            Map<String, Object> topics = new TreeMap<>();
            for (TopicDescription d : admin.describeTopics(names).allTopicNames().get().values()) {
                topics.put(d.name(), topic(flags, admin, d));
            }
            result.put("topics", topics);
            Map<String, Object> groups = new TreeMap<>();
            for (var listing : admin.listConsumerGroups().all().get()) {
                Map<String, Object> offsets = new TreeMap<>();
                admin.listConsumerGroupOffsets(listing.groupId()).partitionsToOffsetAndMetadata().get()
                    .forEach((tp, offset) -> offsets.put(tp.toString(), offset.offset()));
                groups.put(listing.groupId(), offsets);
            }
            result.put("groups", groups);
        }
        return result;
    }

    private static Map<String, Object> topic(Map<String, String> flags, Admin admin, TopicDescription d)
            throws Exception {
        Map<String, Object> told = new TreeMap<>();
        told.put("id", d.topicId().toString());
        told.put("partitions", d.partitions().size());
        told.put("replication", d.partitions().get(0).replicas().size());
        if (d.isInternal()) {
            return told;
        }
        Map<TopicPartition, Long> ends = ends(admin, List.of(d.name()));
        Map<TopicPartition, MessageDigest> sums = new TreeMap<>((a, b) -> a.partition() - b.partition());
        for (TopicPartition tp : ends.keySet()) {
            sums.put(tp, MessageDigest.getInstance("SHA-256"));
        }
        told.put("records", consume(client(flags), ends, sums));
        MessageDigest whole = MessageDigest.getInstance("SHA-256");
        sums.values().forEach(sum -> whole.update(sum.digest()));
        told.put("sha256", HexFormat.of().formatHex(whole.digest()));
        return told;
    }

    /** Reads every partition to the given end and adds offset, key and value of each record to its sum. */
    private static long consume(Properties p, Map<TopicPartition, Long> ends, Map<TopicPartition, MessageDigest> sums) {
        long count = 0;
        long timeout = Long.parseLong(p.getProperty("default.api.timeout.ms"));
        long deadline = System.nanoTime() + Duration.ofMillis(timeout).toNanos();
        p.put("enable.auto.commit", "false");
        try (var consumer = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(ends.keySet());
            consumer.seekToBeginning(ends.keySet());
            while (ends.entrySet().stream().anyMatch(e -> consumer.position(e.getKey()) < e.getValue())) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("records could not be read to the end in time");
                }
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) {
                    MessageDigest sum = sums.get(new TopicPartition(r.topic(), r.partition()));
                    if (sum == null || r.offset() >= ends.get(new TopicPartition(r.topic(), r.partition()))) {
                        continue;
                    }
                    sum.update((r.offset() + ":").getBytes());
                    sum.update(r.key() == null ? new byte[0] : r.key());
                    sum.update((byte) 0);
                    sum.update(r.value() == null ? new byte[0] : r.value());
                    count++;
                }
            }
        }
        return count;
    }
}
