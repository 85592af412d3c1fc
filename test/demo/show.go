package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

const (
	namespace = "kafka"
	messages  = 1000
)

// show is the story told.
type show struct {
	*teller
	world *ground.World
	kafka *ground.Kafka
	tool  *ground.Tool

	kubectl, manifest string
	lostID            string
	before            ground.Content
	layout            map[string]string
}

func (s *show) play(ctx context.Context) error {
	for _, act := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"The kafkarecover program, built from this checkout", s.build},
		{"An operator (a double of Strimzi's) and Kafka: 3 controllers, 3 brokers with two volumes each", s.cluster},
		{fmt.Sprintf("%d messages, and a consumer group that has read half of them", messages), s.produce},
		{"The accident: the custom resources are deleted", s.accident},
		{"Everybody's first idea: apply them again", s.again},
		{"What is on the volumes?", s.scan},
		{"Bring it back", s.restore},
		{"Is it the same cluster?", s.compare},
	} {
		s.step(act.title)
		if err := act.play(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *show) build(ctx context.Context) (err error) {
	if s.world.Sandbox != nil {
		if s.kubectl, err = s.world.Sandbox.Kubectl(); err != nil {
			return err
		}
	} else if s.kubectl, err = exec.LookPath("kubectl"); err != nil {
		return fmt.Errorf("find kubectl: %w", err)
	}
	s.tool, err = s.world.BuildTool(ctx)
	return err
}

func (s *show) cluster(ctx context.Context) error {
	s.kafka = s.world.NewKafka(namespace, "my-cluster")
	if err := s.world.Namespace(ctx, namespace, nil); err != nil {
		return err
	}
	operator := ground.Operator{Timeout: time.Minute, Interval: 30 * time.Second}
	if err := s.world.InstallOperator(ctx, namespace, operator); err != nil {
		return err
	}
	if err := s.kafka.Volumes(ctx, 0); err != nil {
		return err
	}
	s.manifest = filepath.Join(s.world.WorkDir(), "my-cluster.yaml")
	if err := os.WriteFile(s.manifest, []byte(s.kafka.Manifests(false)), 0o600); err != nil {
		return fmt.Errorf("write the manifests: %w", err)
	}
	if err := s.kube(ctx, "apply", "-f", s.manifest); err != nil {
		return err
	}
	if err := s.kafka.WaitFor(ctx, "Ready", 5*time.Minute); err != nil {
		return err
	}
	return s.kube(ctx, "get", "kafka,pods,pvc")
}

func (s *show) produce(ctx context.Context) (err error) {
	if err := s.kafka.Produce(ctx, messages); err != nil {
		return err
	}
	if s.before, err = s.kafka.Read(ctx, messages); err != nil {
		return err
	}
	if s.layout, err = s.kafka.Layout(ctx); err != nil {
		return err
	}
	s.lostID, err = s.kafka.ClusterID(ctx)
	s.say("cluster %s holds %d messages in topic %q (topic ID %s); group %q has committed offsets in %d partitions",
		s.lostID, len(s.before.Messages), ground.Topic, s.before.TopicIDs[ground.Topic], ground.Group, len(s.before.Offsets))
	return err
}

func (s *show) accident(ctx context.Context) error {
	if err := s.kube(ctx, "delete", "kafka,kafkanodepool", "--all"); err != nil {
		return err
	}
	if err := s.kafka.Delete(ctx); err != nil {
		return err
	}
	s.say("every Kafka pod is gone; the claims and their volumes are left")
	return s.kube(ctx, "get", "pvc")
}

func (s *show) again(ctx context.Context) error {
	if err := s.kube(ctx, "apply", "-f", s.manifest); err != nil {
		return err
	}
	line, err := s.kafka.WaitForCrash(ctx, "Invalid cluster.id", 4*time.Minute)
	if err != nil {
		return err
	}
	if err := s.kube(ctx, "get", "pods"); err != nil {
		return err
	}
	s.say("the operator made up a new cluster ID, and Kafka refuses to start on the old volumes:")
	s.say("  %s", line)
	return nil
}

func (s *show) scan(ctx context.Context) error {
	result, err := s.recover(ctx, "scan", "kafka/my-cluster", "-n", namespace)
	if err != nil {
		return err
	}
	if result.Code != 3 {
		return fmt.Errorf("kafkarecover scan ended with exit code %d, 3 (findings) was expected", result.Code)
	}
	return nil
}

func (s *show) restore(ctx context.Context) error {
	result, err := s.recover(ctx, "restore", "kafka/my-cluster", "-n", namespace, "--yes")
	if err != nil {
		return err
	}
	if result.Code != 0 {
		return fmt.Errorf("kafkarecover restore ended with exit code %d", result.Code)
	}
	return nil
}

// recover runs the tool and shows what it says, as it says it.
func (s *show) recover(ctx context.Context, args ...string) (ground.Result, error) {
	s.command("kafkarecover", args...)
	return s.tool.Run(ctx, s.out, args...)
}

func (s *show) compare(ctx context.Context) error {
	if err := s.kafka.WaitFor(ctx, "Ready", 5*time.Minute); err != nil {
		return err
	}
	id, err := s.kafka.ClusterID(ctx)
	if err != nil {
		return err
	}
	after, err := s.kafka.Read(ctx, messages)
	if err != nil {
		return err
	}
	layout, err := s.kafka.Layout(ctx)
	if err != nil {
		return err
	}
	failed := errors.Join(
		s.same("cluster ID", s.lostID == id, id),
		s.same("topic ID of "+ground.Topic, s.before.TopicIDs[ground.Topic] == after.TopicIDs[ground.Topic],
			after.TopicIDs[ground.Topic]),
		s.same("messages", slices.Equal(s.before.Messages, after.Messages), fmt.Sprintf("all %d", len(after.Messages))),
		s.same("offsets of group "+ground.Group, equal(s.before.Offsets, after.Offsets),
			fmt.Sprintf("%d partitions", len(after.Offsets))),
		s.same("volume under each claim", equal(s.layout, layout), fmt.Sprintf("%d claims, none new", len(layout))),
	)
	if failed == nil {
		s.say("the cluster is back")
	}
	return failed
}

func equal(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range a {
		if b[key] != value {
			return false
		}
	}
	return true
}

// kube runs kubectl and shows it.
func (s *show) kube(ctx context.Context, args ...string) error {
	args = append([]string{"-n", namespace}, args...)
	shown := slices.Clone(args)
	for i := range shown {
		if shown[i] == s.manifest {
			shown[i] = filepath.Base(s.manifest)
		}
	}
	s.command("kubectl", shown...)
	cmd := exec.CommandContext(ctx, s.kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.world.KubeconfigPath)
	cmd.Stdout, cmd.Stderr = s.out, s.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("kubectl %v: %w", args, err)
	}
	return nil
}
