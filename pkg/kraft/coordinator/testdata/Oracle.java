// Fills records of Kafka's internal topics with Kafka's own serialisers, damages some, and records what the parsers of
// kafka-dump-log make of them.
//
//   java -cp 'LIBS-4.2.0/*' Oracle.java make > records.txt            kind, key, value: bytes as hex, "-" for null
//   java -cp 'LIBS-4.2.0/*' Oracle.java answer < records.txt > kafka-4.2.0.txt
//   java -cp 'LIBS-3.9.1/*' Oracle.java answer < records.txt > kafka-3.9.1.txt
//
// An answer is a line for each record: the key's text, a tab, the payload's; "-" where the tool prints none, "!" and the
// exception's class where it ends.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.SimpleRecord;

public class Oracle {
    static final HexFormat HEX = HexFormat.of();
    static final Random RANDOM = new Random(20260522);
    static final String[] STRINGS = {"", "orders", "a", "Zoë \"Z\"", "tab\tnl\n", "日本", "x".repeat(130), "consumer", "</x>&'\\"};
    static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    public static void main(String[] args) throws Exception {
        if (args[0].equals("make")) {
            make("offsets", "group");
            make("transactions", "transaction");
            make("share-state", "share");
            print("offsets", new byte[] {0, 77, 1}, new byte[] {0, 0});
            print("offsets", new byte[] {0}, new byte[] {0, 0});
            print("offsets", new byte[0], null);
            transactions();
            print("transactions", new byte[] {0, 9, 1}, new byte[] {0, 0});
        } else {
            answer();
        }
        OUT.flush();
    }

    static void make(String kind, String part) throws Exception {
        Class<?> types = Class.forName("org.apache.kafka.coordinator." + part + ".generated.CoordinatorRecordType");
        for (Object type : types.getEnumConstants()) {
            short id = (Short) types.getMethod("id").invoke(type);
            ApiMessage model = (ApiMessage) types.getMethod("newRecordValue").invoke(type);
            for (short version = model.lowestSupportedVersion(); version <= model.highestSupportedVersion(); version++) {
                for (int i = 0; i < 6; i++) {
                    ApiMessage key = (ApiMessage) types.getMethod("newRecordKey").invoke(type);
                    ApiMessage value = (ApiMessage) types.getMethod("newRecordValue").invoke(type);
                    fill(key, (short) 0, false);
                    if (i > 0) { // the first has all defaults
                        fill(value, version, i == 5);
                    }
                    byte[] k = bytes(key, (short) 0);
                    k[0] = (byte) (id >> 8);
                    k[1] = (byte) id;
                    record(kind, k, bytes(value, version), i);
                }
            }
        }
    }

    /** Transactions of many partitions: Kafka 3.9 prints them in the order of a hash table. */
    static void transactions() {
        var key = new org.apache.kafka.coordinator.transaction.generated.TransactionLogKey().setTransactionalId("many");
        for (int count : new int[] {3, 11, 12, 13, 23, 24, 25, 60, 120}) {
            var all = new ArrayList<org.apache.kafka.coordinator.transaction.generated.TransactionLogValue.PartitionsSchema>();
            for (String topic : List.of("orders", "payments", "sensor-é")) {
                var ids = new ArrayList<Integer>();
                for (int i = 0; i < count / (topic.length() - 4); i++) {
                    ids.add(i);
                }
                all.add(new org.apache.kafka.coordinator.transaction.generated.TransactionLogValue.PartitionsSchema()
                    .setTopic(topic).setPartitionIds(ids));
            }
            print("transactions", bytes(key, (short) 0),
                bytes(new org.apache.kafka.coordinator.transaction.generated.TransactionLogValue().setProducerId(1000)
                    .setProducerEpoch((short) 1).setTransactionStatus((byte) 1).setTransactionPartitions(all), (short) 1));
        }
    }

    static void record(String kind, byte[] key, byte[] value, int i) {
        print(kind, key, value);
        if (i == 0) {
            print(kind, key, null);
            byte[] newer = value.clone();
            newer[1] = 9;
            print(kind, key, newer);
        }
        for (int n = 0; n < 2 && i > 0; n++) {
            byte[] damaged = value.clone();
            damaged[RANDOM.nextInt(damaged.length)] ^= (byte) (1 << RANDOM.nextInt(8));
            print(kind, key, damaged);
            print(kind, key, java.util.Arrays.copyOf(value, RANDOM.nextInt(value.length)));
        }
        if (i == 1) {
            print(kind, java.util.Arrays.copyOf(key, RANDOM.nextInt(key.length)), value);
        }
    }

    static void print(String kind, byte[] key, byte[] value) {
        OUT.println(kind + " " + HEX.formatHex(key) + "= " + (value == null ? "-" : HEX.formatHex(value) + "="));
    }

    static byte[] bytes(ApiMessage message, short version) {
        return MessageUtil.toVersionPrefixedBytes(version, message);
    }

    /** Sets each field to something, as long as the message can then be written. */
    static void fill(Object message, short version, boolean many) throws Exception {
        for (Field field : message.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || field.getName().startsWith("_")) {
                continue;
            }
            field.setAccessible(true);
            Object before = field.get(message);
            field.set(message, value(field.getType(), field.getGenericType(), field.getName(), version, many));
            if (message instanceof ApiMessage top) {
                try {
                    bytes(top, version);
                } catch (RuntimeException e) {
                    field.set(message, before);
                }
            }
        }
    }

    static Object value(Class<?> type, Type generic, String name, short version, boolean many) throws Exception {
        int n = RANDOM.nextInt(6);
        if (type == boolean.class) return n % 2 == 0;
        if (type == byte.class) return (byte) (n == 0 ? -1 : RANDOM.nextInt(8));
        if (type == short.class || type == Short.class) return (short) (n == 0 ? Short.MAX_VALUE : RANDOM.nextInt(100));
        if (type == int.class || type == Integer.class) return n == 0 ? Integer.MIN_VALUE : RANDOM.nextInt(1000);
        if (type == long.class || type == Long.class) return n == 0 ? Long.MAX_VALUE : RANDOM.nextLong();
        if (type == Uuid.class) return new Uuid(RANDOM.nextLong(), n == 0 ? 0 : RANDOM.nextLong());
        if (name.equals("protocolType")) return n < 4 ? "consumer" : "connect";
        if (type == String.class) return n == 0 ? null : STRINGS[RANDOM.nextInt(STRINGS.length)];
        if (type == byte[].class) return bytes(name);
        if (type == ByteBuffer.class) return ByteBuffer.wrap(bytes(name));
        if (Collection.class.isAssignableFrom(type)) {
            if (n == 0) return null;
            Collection<Object> all = type == List.class ? new ArrayList<>()
                : (Collection<Object>) type.getDeclaredConstructor().newInstance();
            Type of = ((ParameterizedType) (type == List.class ? generic : type.getGenericSuperclass())).getActualTypeArguments()[0];
            int count = many ? RANDOM.nextInt(40) : RANDOM.nextInt(3);
            for (int i = 0; i < count; i++) {
                Object element = value((Class<?>) of, of, "element", version, many);
                all.add(element == null ? "x" : element);
            }
            return all;
        }
        if (n == 0) return null;
        Object nested = type.getDeclaredConstructor().newInstance();
        if (n > 1) fill(nested, version, false);
        return nested;
    }

    /** Bytes; what a member of a consumer group has there where the name says so. */
    static byte[] bytes(String name) {
        if (name.equals("subscription") && RANDOM.nextInt(4) > 0) {
            var topics = List.of("orders", STRINGS[RANDOM.nextInt(4)]);
            var owned = List.of(new org.apache.kafka.common.TopicPartition("orders", 1));
            var all = new org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription(topics,
                RANDOM.nextBoolean() ? null : ByteBuffer.wrap(new byte[] {1, 2}), owned);
            return array(ConsumerProtocol.serializeSubscription(all, (short) RANDOM.nextInt(4)));
        }
        if (name.equals("assignment") && RANDOM.nextInt(4) > 0) {
            var all = new org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment(
                List.of(new org.apache.kafka.common.TopicPartition("orders", 1)), ByteBuffer.wrap(new byte[] {3}));
            return array(ConsumerProtocol.serializeAssignment(all, (short) RANDOM.nextInt(4)));
        }
        byte[] some = new byte[RANDOM.nextInt(20)];
        RANDOM.nextBytes(some);
        return some;
    }

    static byte[] array(ByteBuffer buffer) {
        byte[] out = new byte[buffer.remaining()];
        buffer.duplicate().get(out);
        return out;
    }

    static void answer() throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        long offset = 0;
        for (String line = in.readLine(); line != null; line = in.readLine(), offset++) {
            String[] parts = line.split(" ");
            OUT.println(said(parts[0], unhex(parts[1]), unhex(parts[2]), offset));
        }
    }

    static byte[] unhex(String text) {
        return text.equals("-") ? null : HEX.parseHex(text.substring(0, text.length() - 1));
    }

    static String said(String kind, byte[] key, byte[] value, long offset) throws Exception {
        String name = switch (kind) {
            case "offsets" -> "OffsetsMessageParser";
            case "transactions" -> "TransactionLogMessageParser";
            default -> "ShareGroupStateMessageParser";
        };
        Class<?> parser;
        try {
            parser = Class.forName("kafka.tools.DumpLogSegments$" + name);
        } catch (ClassNotFoundException e) {
            return "-\t-"; // this release has no such parser
        }
        Record record = MemoryRecords.withRecords(offset, Compression.NONE, 1, new SimpleRecord(1L, key, value)).records()
            .iterator().next();
        var make = parser.getDeclaredConstructor();
        make.setAccessible(true);
        var parse = parser.getMethod("parse", Record.class);
        parse.setAccessible(true);
        try {
            var both = (scala.Tuple2<?, ?>) parse.invoke(make.newInstance(), record);
            return text((scala.Option<?>) both._1()) + "\t" + text((scala.Option<?>) both._2());
        } catch (java.lang.reflect.InvocationTargetException e) {
            return "!\t" + e.getCause().getClass().getName();
        }
    }

    static String text(scala.Option<?> option) {
        return option.isEmpty() ? "-" : option.get().toString().replace("\n", "\\n").replace("\t", "\\t");
    }
}
