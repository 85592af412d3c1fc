import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/**
 * Kafka's own main program, and a thread beside it that keeps a file there as long as the broker says of itself that it
 * runs (state 3), so that a readiness probe needs no JVM.
 *
 * <pre>Node CONFIG-FILE</pre>
 */
public final class Node {
    private static final Path READY = Path.of("/tmp/kafka-ready");
    private static final byte RUNNING = 3;

    private Node() { }

    public static void main(String[] args) throws Exception {
        Thread watch = new Thread(Node::watch, "ready-file");
        watch.setDaemon(true);
        watch.start();
        kafka.Kafka.main(args);
    }

    private static void watch() {
        try {
            MBeanServer beans = ManagementFactory.getPlatformMBeanServer();
            ObjectName state = new ObjectName("kafka.server:type=KafkaServer,name=BrokerState");
            while (true) {
                if (beans.isRegistered(state) && ((Number) beans.getAttribute(state, "Value")).byteValue() == RUNNING) {
                    Files.write(READY, new byte[0]);
                } else {
                    Files.deleteIfExists(READY);
                }
                Thread.sleep(250);
            }
        } catch (JMException | java.io.IOException e) {
            System.err.println("the broker's state is not watched any more: " + e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
