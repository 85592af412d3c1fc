// Writes metadata records with Kafka's own serialisers and what Kafka's own converters print of each. Run with Kafka's
// jars (4.3.1 was used, the first whose serialisers have every version up to 4.3):
//
//   java -cp 'LIBS/*' Records.java > records.txt
//
// A line has a record's bytes in hex and the JSON that kafka-dump-log prints of it, or "Error: " and the message of the
// error that reading it gives. Of every type and version there are up to six records, their fields filled by chance
// (the same chance each time) from values at the edges of what the types hold; a field that the version cannot carry
// stays as it is by default. Records that Kafka does not take, or takes in another way than most, are the last.

import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.MetadataJsonConverters;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageSizeAccumulator;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

public class Records {
    static final int EACH = 6;
    static final Random CHANCE = new Random(20260101);
    // What an element of a collection has beside its fields.
    static final Set<String> LINKS = Set.of("prev", "next");
    // Of 200 bytes: the length takes two.
    static final String LONG = "x".repeat(200);
    static final String[] TEXTS = {
        "", "a", "orders", "__consumer_offsets", "tëst-ü", "日本語", "emoji😀", "quote\"back\\slash", "</x>&'",
        "tab\tnl\ncr\r\b\f", "\0\u001b\u001f\u007f", "\u2028\u00a0\ufeff", "User:CN=a,O=b", LONG,
    };
    static final long[] NUMBERS = {0, 1, 2, 9, 10, 99, 100, -1, -2, 1769791434349L};
    static final double[] DOUBLES = {
        0, -0.0, 1, -1.5, 1e-3, 1e7, 123456789, 1048576, 55.5, Double.MIN_VALUE, Double.MAX_VALUE, Double.NaN,
        Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY,
    };
    static final String[] ODD = {
        "00140000", "02140000", "016300", "01140000ff", "0102", "011400",
        "01020004666f6ffed698633c134eb591d29d9f94fb653f00", "011400010503616263", "010c0005616263640001000700", "",
        "01ff", "01ffffff0f00", "011400017f00", "01020003ffff0000000000000000000000000000000000",
    };

    public static void main(String[] args) throws Exception {
        Set<String> lines = new LinkedHashSet<>(); // no record twice
        for (MetadataRecordType type : MetadataRecordType.values()) {
            ApiMessage empty = type.newMetadataRecord();
            for (short v = empty.lowestSupportedVersion(); v <= empty.highestSupportedVersion(); v++) {
                for (int i = 0; i < EACH; i++) {
                    ApiMessage message = type.newMetadataRecord();
                    fill(message, v);
                    line(lines, bytes(message, v));
                }
            }
        }
        for (String odd : ODD) {
            line(lines, HexFormat.of().parseHex(odd));
        }
        var out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        lines.forEach(out::println);
        out.flush();
    }

    static void line(Set<String> lines, byte[] value) {
        lines.add(HexFormat.of().formatHex(value) + " " + answer(value));
    }

    static byte[] bytes(ApiMessage message, short version) {
        var serde = new MetadataRecordSerde();
        var record = new ApiMessageAndVersion(message, version);
        var cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(serde.recordSize(record, cache));
        serde.write(record, cache, new ByteBufferAccessor(buffer));
        return buffer.array();
    }

    /** ClusterMetadataLogMessageParser of DumpLogSegments. */
    static String answer(byte[] value) {
        try {
            var read = new MetadataRecordSerde().read(new ByteBufferAccessor(ByteBuffer.wrap(value)), value.length);
            var json = new ObjectNode(JsonNodeFactory.instance);
            json.set("type", new TextNode(MetadataRecordType.fromId(read.message().apiKey()).toString()));
            json.set("version", new IntNode(read.version()));
            json.set("data", MetadataJsonConverters.writeJson(read.message(), read.version()));
            return json.toString();
        } catch (Throwable e) {
            return "Error: " + e.getMessage();
        }
    }

    static void fill(Message message, short version) throws Exception {
        for (Field field : message.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || field.getName().startsWith("_")) {
                continue;
            }
            if (LINKS.contains(field.getName())) {
                continue;
            }
            Method setter = setter(message, field.getName());
            field.setAccessible(true);
            Object before = field.get(message);
            try {
                setter.invoke(message, value(setter.getGenericParameterTypes()[0], version));
                message.addSize(new MessageSizeAccumulator(), new ObjectSerializationCache(), version);
                message.write(new ByteBufferAccessor(ByteBuffer.allocate(1 << 16)), cacheOf(message, version), version);
            } catch (ReflectiveOperationException | RuntimeException e) {
                field.set(message, before);
            }
        }
    }

    static ObjectSerializationCache cacheOf(Message message, short version) {
        var cache = new ObjectSerializationCache();
        message.addSize(new MessageSizeAccumulator(), cache, version);
        return cache;
    }

    static Method setter(Message message, String field) {
        for (Method method : message.getClass().getMethods()) {
            if (method.getName().equalsIgnoreCase("set" + field) && method.getParameterCount() == 1) {
                return method;
            }
        }
        throw new IllegalStateException("no setter for " + field + " of " + message.getClass());
    }

    static Object value(Type type, short version) throws Exception {
        if (type == int.class) {
            return (int) number(Integer.MIN_VALUE, Integer.MAX_VALUE);
        } else if (type == long.class) {
            return number(Long.MIN_VALUE, Long.MAX_VALUE);
        } else if (type == short.class) {
            return (short) number(Short.MIN_VALUE, Short.MAX_VALUE);
        } else if (type == byte.class) {
            return (byte) number(Byte.MIN_VALUE, Byte.MAX_VALUE);
        } else if (type == boolean.class) {
            return CHANCE.nextBoolean();
        } else if (type == double.class) {
            return CHANCE.nextInt(3) == 0 ? CHANCE.nextDouble() * 1e6 : DOUBLES[CHANCE.nextInt(DOUBLES.length)];
        } else if (type == String.class) {
            return CHANCE.nextInt(8) == 0 ? null : TEXTS[CHANCE.nextInt(TEXTS.length)];
        } else if (type == Uuid.class) {
            return CHANCE.nextBoolean() ? new Uuid(0, CHANCE.nextInt(3))
                : new Uuid(CHANCE.nextLong(), CHANCE.nextLong());
        } else if (type == byte[].class) {
            byte[] some = new byte[CHANCE.nextInt(40)];
            CHANCE.nextBytes(some);
            return some;
        }
        return many(type, version);
    }

    static Object many(Type type, short version) throws Exception {
        if (CHANCE.nextInt(8) == 0) {
            return null;
        }
        Collection<Object> all = new ArrayList<>();
        Type element;
        if (type instanceof ParameterizedType list && list.getRawType() == List.class) {
            element = list.getActualTypeArguments()[0];
        } else {
            @SuppressWarnings("unchecked")
            var collection = (Collection<Object>) ((Class<?>) type).getDeclaredConstructor().newInstance();
            all = collection;
            element = ((ParameterizedType) ((Class<?>) type).getGenericSuperclass()).getActualTypeArguments()[0];
        }
        for (int n = CHANCE.nextInt(5); n > 0; n--) {
            all.add(one(element, version));
        }
        return all;
    }

    /** An element of a list: a number, a text that is there, an ID, or a message. */
    static Object one(Type element, short version) throws Exception {
        if (element == Integer.class) {
            return value(int.class, version);
        } else if (element == String.class) {
            return TEXTS[CHANCE.nextInt(TEXTS.length)];
        } else if (element == Uuid.class) {
            return value(Uuid.class, version);
        }
        Message message = (Message) ((Class<?>) element).getDeclaredConstructor().newInstance();
        fill(message, version);
        return message;
    }

    static long number(long least, long most) {
        switch (CHANCE.nextInt(8)) {
            case 0:
                return least;
            case 1:
                return most;
            case 2:
                return CHANCE.nextLong(); // the caller cuts it off
            default:
                return NUMBERS[CHANCE.nextInt(NUMBERS.length)];
        }
    }
}
