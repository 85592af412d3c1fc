import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.FeatureLevelRecord;
import org.apache.kafka.common.metadata.PartitionRecord;
import org.apache.kafka.common.metadata.RegisterBrokerRecord;
import org.apache.kafka.common.metadata.TopicRecord;
import org.apache.kafka.metadata.util.BatchFileWriter;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.server.common.MetadataVersion;

/** Writes a snapshot of many partitions with Kafka's own serialisers: FILE TOPICS PARTITIONS. */
public final class Snapshot {
    private static final int BROKERS = 100;
    private static final int REPLICAS = 3;

    private final BatchFileWriter out;

    private Snapshot(BatchFileWriter out) {
        this.out = out;
    }

    public static void main(String[] args) throws Exception {
        int topics = Integer.parseInt(args[1]);
        int partitions = Integer.parseInt(args[2]);
        try (BatchFileWriter out = BatchFileWriter.open(Path.of(args[0]))) {
            new Snapshot(out).write(topics, partitions);
        }
    }

    private void write(int topics, int partitions) {
        MetadataVersion version = MetadataVersion.latestProduction();
        append(new FeatureLevelRecord().setName(MetadataVersion.FEATURE_NAME).setFeatureLevel(version.featureLevel()), 0);
        for (int id = 0; id < BROKERS; id++) {
            append(new RegisterBrokerRecord().setBrokerId(id).setIncarnationId(new Uuid(1, id)).setFenced(false)
                .setLogDirs(List.of(directory(id))), version.registerBrokerRecordVersion());
        }
        for (int topic = 0; topic < topics; topic++) {
            Uuid id = new Uuid(0x4000, topic + 1000);
            append(new TopicRecord().setName("topic-" + topic).setTopicId(id), 0);
            for (int partition = 0; partition < partitions; partition++) {
                append(partition(id, topic, partition), version.partitionRecordVersion());
            }
        }
    }

    private static PartitionRecord partition(Uuid topicId, int topic, int partition) {
        List<Integer> replicas = new ArrayList<>();
        List<Uuid> directories = new ArrayList<>();
        for (int i = 0; i < REPLICAS; i++) {
            int broker = (topic * 7 + partition + i) % BROKERS;
            replicas.add(broker);
            directories.add(directory(broker));
        }
        return new PartitionRecord().setTopicId(topicId).setPartitionId(partition).setReplicas(replicas)
            .setIsr(replicas).setLeader(replicas.get(0)).setLeaderEpoch(3).setPartitionEpoch(9).setDirectories(directories);
    }

    private static Uuid directory(int broker) {
        return new Uuid(0x2000, broker + 1000);
    }

    private void append(org.apache.kafka.common.protocol.ApiMessage record, int version) {
        out.append(new ApiMessageAndVersion(record, (short) version));
    }
}
