import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Properties;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;

/**
 * Runs, in one JVM, what the image's containers will run later: formats a directory, starts a node of both roles,
 * writes and reads records, stops it. The JVM is told to write an archive of all classes loaded (class data sharing),
 * which is what makes later starts quick.
 *
 * <pre>Warm CONFIG-FILE METADATA-VERSION HOST:PORT</pre>
 */
public final class Warm {
    private Warm() { }

    public static void main(String[] args) throws Exception {
        Path config = Path.of(args[0]);
        kafka.tools.StorageTool.execute(
            new String[] {"format", "-t=4L6g3nShT-eMCtK--X86sw", "-r=" + args[1], "-c=" + config, "-g"}, System.out);
        Properties properties = Utils.loadProps(config.toString());
        KafkaRaftServer server = new KafkaRaftServer(KafkaConfig.fromProps(properties, false), Time.SYSTEM);
        server.startup();
        int code = Ground.run(new String[] {"produce", "--bootstrap", args[2], "--topic", "warm", "--partitions", "2",
            "--replication", "1", "--records", "50", "--group", "warm"}, System.out);
        tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", args[2], "--describe");
        tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", args[2], "--list");
        server.shutdown();
        server.awaitShutdown();
        for (String dir : Arrays.asList(properties.getProperty("log.dirs").split(","))) {
            System.out.println(Files.exists(Path.of(dir, "meta.properties")));
        }
        System.exit(code);
    }

    /** Loads the classes of a tool by running it; what it does is of no interest, nor whether it works. */
    private static void tool(String name, String... args) {
        Exit.setExitProcedure((status, message) -> {
            throw new IllegalStateException("exit " + status + ": " + message);
        });
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (ReflectiveOperationException e) {
            System.out.println("not run: " + name + ": " + e.getCause());
        } finally {
            Exit.resetExitProcedure();
        }
    }
}
