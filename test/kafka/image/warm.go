package image

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	kafka "github.com/kafkarecover/kafkarecover/test/kafka"
)

// warmTry is where, below Kafka's directory, the node that is only run to load classes keeps its files.
const warmTry = "warm"

// warm runs a node in the image's own file system and leaves an archive of the classes it loaded beside the jars: with
// it the JVMs of the image start in half the time. Only the very JVM, class path and jars it was made with take it, so
// it can be made nowhere else.
func (b builder) warm(ctx context.Context, root, stage string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: running a program in the image's file system takes root", ErrUnsupported)
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		return fmt.Errorf("unpack the image's file system: %w", err)
	}
	err := kafka.Run(ctx, "tar", "--extract", "--numeric-owner", "--file", b.base.Path(baseName),
		"--directory", root)
	if err != nil {
		return fmt.Errorf("unpack the image's file system: %w", err)
	}
	inside := filepath.Join(root, home)
	if err := os.MkdirAll(filepath.Dir(inside), 0o755); err != nil {
		return fmt.Errorf("unpack the image's file system: %w", err)
	}
	if err := kafka.Run(ctx, "cp", "--archive", stage, inside); err != nil {
		return err
	}
	if err := b.warmRun(ctx, root, filepath.Join(inside, warmTry)); err != nil {
		return fmt.Errorf("make the archive of classes: %w", err)
	}
	return copyFile(filepath.Join(inside, "kafka.jsa"), filepath.Join(stage, "kafka.jsa"))
}

func (b builder) warmRun(ctx context.Context, root, try string) error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(try, 0o755); err != nil {
		return err
	}
	config := warmConfig(home+"/"+warmTry, ports[0], ports[1])
	if err := os.WriteFile(filepath.Join(try, "server.properties"), []byte(config), 0o644); err != nil {
		return err
	}
	classPath, err := os.ReadFile(filepath.Join(root, home, "classpath"))
	if err != nil {
		return err
	}
	logging := home + "/config/tools-log4j"
	// A mount namespace of its own: /proc is gone with the process, however it ends.
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child",
		"--mount-proc="+filepath.Join(root, "proc"), "chroot", root,
		"java", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-XX:ArchiveClassesAtExit="+home+"/kafka.jsa", "-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile="+logging+"2.properties", "-Dlog4j.configuration=file:"+logging+".properties",
		"-cp", string(classPath), "Warm", home+"/"+warmTry+"/server.properties", metadataVersion(b.version),
		fmt.Sprintf("127.0.0.1:%d", ports[0]))
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("run a node: %w: %s", err, lastLines(string(output), 15))
	}
	return nil
}

// warmConfig is a node of both roles on the loopback interface.
func warmConfig(dir string, broker, controller int) string {
	return strings.Join([]string{
		"node.id=0", "process.roles=broker,controller", fmt.Sprintf("controller.quorum.voters=0@127.0.0.1:%d", controller),
		fmt.Sprintf("listeners=PLAIN://127.0.0.1:%d,CONTROL://127.0.0.1:%d", broker, controller),
		fmt.Sprintf("advertised.listeners=PLAIN://127.0.0.1:%d", broker),
		"listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROL:PLAINTEXT",
		"inter.broker.listener.name=PLAIN", "controller.listener.names=CONTROL",
		"log.dirs=" + dir + "/data", "metadata.log.dir=" + dir + "/data", "log.index.size.max.bytes=65536",
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=1",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", "",
	}, "\n")
}

// metadataVersion is the one of a Kafka version's release line that Strimzi formats with.
func metadataVersion(version string) string {
	if strings.HasPrefix(version, "4.2.") {
		return "4.2-IV1"
	}
	return strings.Join(strings.SplitN(version, ".", 3)[:2], ".") + "-IV0"
}

// freePorts are ports of the loopback interface that nobody listens on now.
func freePorts(count int) ([]int, error) {
	ports := make([]int, 0, count)
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() //nolint:errcheck // nothing was written
		address, _ := l.Addr().(*net.TCPAddr)
		ports = append(ports, address.Port)
	}
	return ports, nil
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
