// Writes a metadata log of less than 4 KiB with a record of every type that is not long, flips every bit of the records
// and cuts each off at every length, behind a right CRC, and records what Kafka's own classes make of it. Run with
// Kafka's jars (4.3.1 was used):
//
//   java -cp 'LIBS/*' Damage.java < records.txt > damaged.txt
//
// For each record that was taken, a line: its bytes in hex; then, for every bit of every byte, lowest first, and for
// every length from 0, the CRC-32C of the JSON that kafka-dump-log prints of the damaged record, or "!" where it prints
// an error.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import org.apache.kafka.common.metadata.MetadataJsonConverters;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.utils.Crc32C;
import org.apache.kafka.metadata.MetadataRecordSerde;

public class Damage {
    static final int LONGEST = 90;
    static final int LOG = 4096 - 700; // what is left for records beside the frames of their batches

    public static void main(String[] args) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        Set<String> taken = new HashSet<>();
        int size = 0;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String digits = line.substring(0, line.indexOf(' '));
            byte[] value = HexFormat.of().parseHex(digits);
            String layout = digits.substring(0, Math.min(6, digits.length()));
            if (value.length > LONGEST || size + value.length > LOG || answer(value).equals("!") || !taken.add(layout)) {
                continue;
            }
            size += value.length;
            out.print(digits);
            for (int i = 0; i < value.length * 8; i++) {
                byte[] damaged = value.clone();
                damaged[i / 8] ^= (byte) (1 << (i % 8));
                out.print(" " + answer(damaged));
            }
            for (int n = 0; n < value.length; n++) {
                out.print(" " + answer(Arrays.copyOf(value, n)));
            }
            out.println();
        }
        out.flush();
    }

    /** ClusterMetadataLogMessageParser of DumpLogSegments. */
    static String answer(byte[] value) {
        try {
            var read = new MetadataRecordSerde().read(new ByteBufferAccessor(ByteBuffer.wrap(value)), value.length);
            var json = new ObjectNode(JsonNodeFactory.instance);
            json.set("type", new TextNode(MetadataRecordType.fromId(read.message().apiKey()).toString()));
            json.set("version", new IntNode(read.version()));
            json.set("data", MetadataJsonConverters.writeJson(read.message(), read.version()));
            byte[] text = json.toString().getBytes(StandardCharsets.UTF_8);
            return Long.toHexString(Crc32C.compute(text, 0, text.length));
        } catch (Throwable e) {
            return "!";
        }
    }
}
