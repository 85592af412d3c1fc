package ground

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Content is what a Kafka cluster holds that a recovery must bring back.
type Content struct {
	// TopicIDs by topic.
	TopicIDs map[string]string
	// Messages of the topic Produce wrote to, sorted.
	Messages []string
	// Offsets committed by the group of Produce, by topic-partition.
	Offsets map[string]string
	// LoggedIn is the user of Produce, who has logged in with the password of before.
	LoggedIn string
}

// The topic, the consumer group and the user that Produce makes.
const (
	Topic    = "orders"
	Group    = "billing"
	User     = "clerk"
	password = "the-day-before"
)

const bin = "/opt/kafka/bin/"

func (k *Kafka) bootstrap() string {
	if k.Set != "" {
		return k.Set + ":9092"
	}
	return k.Name + "-kafka-bootstrap:9092"
}

// client is the pod in which Kafka's own programs are run: the first broker's.
func (k *Kafka) client(ctx context.Context) (string, error) {
	pods, err := k.Pods(ctx)
	if err != nil {
		return "", err
	}
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for i := range pods {
		if pods[i].Labels["strimzi.io/broker-role"] == "true" || k.Set != "" {
			return pods[i].Name, nil
		}
	}
	return "", fmt.Errorf("there is no broker pod in namespace %q", k.Namespace)
}

func (k *Kafka) kafkaProgram(ctx context.Context, in string, program string, args ...string) (string, error) {
	pod, err := k.client(ctx)
	if err != nil {
		return "", err
	}
	command := append([]string{bin + program}, args...)
	if in == "" {
		return k.Exec(ctx, pod, nil, command...)
	}
	return k.Exec(ctx, pod, strings.NewReader(in), command...)
}

// Produce makes the topic, writes messages to it and lets the group read some of them.
func (k *Kafka) Produce(ctx context.Context, messages int) error {
	server := k.bootstrap()
	_, err := k.kafkaProgram(ctx, "", "kafka-topics.sh", "--bootstrap-server", server, "--create", "--if-not-exists",
		"--topic", Topic, "--partitions", "6")
	if err != nil {
		return fmt.Errorf("create a topic: %w", err)
	}
	var text strings.Builder
	for i := range messages {
		fmt.Fprintf(&text, "order %06d of the day before\n", i)
	}
	_, err = k.kafkaProgram(ctx, text.String(), "kafka-console-producer.sh", "--bootstrap-server", server,
		"--topic", Topic)
	if err != nil {
		return fmt.Errorf("write messages: %w", err)
	}
	_, err = k.kafkaProgram(ctx, "", "kafka-console-consumer.sh", "--bootstrap-server", server, "--topic", Topic,
		"--group", Group, "--from-beginning", "--max-messages", fmt.Sprint(messages/2))
	if err != nil {
		return fmt.Errorf("read messages as group %q: %w", Group, err)
	}
	return k.makeUser(ctx)
}

// makeUser makes a user of SCRAM, whose credentials are in the metadata log and nowhere else, and sees that they are
// asked for.
func (k *Kafka) makeUser(ctx context.Context) error {
	if k.Set != "" {
		return nil
	}
	_, err := k.kafkaProgram(ctx, "", "kafka-configs.sh", "--bootstrap-server", k.bootstrap(), "--alter",
		"--entity-type", "users", "--entity-name", User, "--add-config", "SCRAM-SHA-512=[password="+password+"]")
	if err != nil {
		return fmt.Errorf("make user %q: %w", User, err)
	}
	err = k.logIn(ctx, "another")
	if err == nil {
		return errors.New("log in with a wrong password: nobody asked for it")
	}
	if !strings.Contains(err.Error(), "SaslAuthenticationException") {
		return err
	}
	return k.logIn(ctx, password)
}

// logIn lists topics as the user.
func (k *Kafka) logIn(ctx context.Context, password string) error {
	if err := k.listTopics(ctx, scramPort, scramSettings(User, password)); err != nil {
		return fmt.Errorf("log in as %q: %w", User, err)
	}
	return nil
}

// The ports of the listeners that ask who it is.
const (
	scramPort = "9094"
	tlsPort   = "9093"
)

func scramSettings(user, password string) string {
	return fmt.Sprintf("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config="+
		"org.apache.kafka.common.security.scram.ScramLoginModule required username=%q password=%q;\n", user, password)
}

// listTopics asks for the topics with settings of Kafka's clients.
func (k *Kafka) listTopics(ctx context.Context, port, settings string) error {
	pod, err := k.client(ctx)
	if err != nil {
		return err
	}
	// The pipe of an exec's stdin is root's, and cannot be opened by its name.
	_, err = k.Exec(ctx, pod, strings.NewReader(settings), "bash", "-c", bin+"kafka-topics.sh --bootstrap-server "+
		k.Name+"-kafka-bootstrap:"+port+" --command-config <(cat) --list")
	return err
}

// UnderReplicated lists the partitions that have a replica that is not in sync, by Kafka's own word.
func (k *Kafka) UnderReplicated(ctx context.Context) (string, error) {
	out, err := k.kafkaProgram(ctx, "", "kafka-topics.sh", "--bootstrap-server", k.bootstrap(), "--describe",
		"--under-replicated-partitions")
	if err != nil {
		return "", fmt.Errorf("describe partitions: %w", err)
	}
	return strings.TrimSpace(out), nil
}

var topicLine = regexp.MustCompile(`(?m)^Topic: (\S+)\s+TopicId: (\S+)`)

// Read reads what the cluster holds. messages is how many to expect.
func (k *Kafka) Read(ctx context.Context, messages int) (Content, error) {
	content := Content{TopicIDs: map[string]string{}, Offsets: map[string]string{}}
	server := k.bootstrap()
	out, err := k.kafkaProgram(ctx, "", "kafka-topics.sh", "--bootstrap-server", server, "--describe")
	if err != nil {
		return content, fmt.Errorf("describe topics: %w", err)
	}
	for _, match := range topicLine.FindAllStringSubmatch(out, -1) {
		content.TopicIDs[match[1]] = match[2]
	}
	out, err = k.kafkaProgram(ctx, "", "kafka-console-consumer.sh", "--bootstrap-server", server, "--topic", Topic,
		"--from-beginning", "--max-messages", fmt.Sprint(messages), "--timeout-ms", "60000")
	if err != nil {
		return content, fmt.Errorf("read messages: %w", err)
	}
	content.Messages = strings.Split(strings.TrimRight(out, "\n"), "\n")
	slices.Sort(content.Messages)
	out, err = k.kafkaProgram(ctx, "", "kafka-consumer-groups.sh", "--bootstrap-server", server, "--describe",
		"--group", Group, "--offsets")
	if err != nil {
		return content, fmt.Errorf("describe group %q: %w", Group, err)
	}
	for line := range strings.SplitSeq(out, "\n") {
		if fields := strings.Fields(line); len(fields) > 3 && fields[0] == Group {
			content.Offsets[fields[1]+"-"+fields[2]] = fields[3]
		}
	}
	if k.Set == "" {
		if err := k.logIn(ctx, password); err != nil {
			return content, err
		}
		content.LoggedIn = User
	}
	return content, nil
}
