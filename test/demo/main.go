// Command demo shows, on a real Kubernetes cluster with real Kafka started on this machine, how a Strimzi Kafka cluster
// is lost and brought back with kafkarecover. The operator is a DOUBLE of Strimzi's (package operator). Everything it
// started is ended when it ends, on success, on failure and on Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// sandboxID is the demo's own cluster number, apart from the one the tests use.
const sandboxID = 8

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once, in the way a program without handlers ends.
	context.AfterFunc(ctx, stop)
	keep := flag.Bool("keep", false, "leave the cluster running, to look around")
	id := flag.Int("id", sandboxID, "number of the sandbox cluster")
	quiet := flag.Bool("no-color", os.Getenv("NO_COLOR") != "", "no colours")
	flag.Parse()
	tell := &teller{out: os.Stdout, color: !*quiet && isTerminal(os.Stdout)}
	err := run(ctx, tell, *id, *keep)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "\ninterrupted; everything the demo started has been ended")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "\ndemo failed:", err)
		os.Exit(1)
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func run(ctx context.Context, tell *teller, id int, keep bool) (err error) {
	release, err := lock(id)
	if err != nil {
		return err
	}
	defer release()
	settings, err := ground.FromEnv(io.Discard)
	if err != nil {
		return err
	}
	settings.SandboxID, settings.Keep, settings.Fresh = id, keep, true
	settings.Log = tell.indented()
	s := &show{teller: tell}
	tell.step("A Kubernetes cluster on this machine (API server, scheduler, kubelet; no Docker)")
	s.world, err = ground.Start(ctx, settings)
	defer func() {
		if keep && err == nil {
			tell.say("left running: export KUBECONFIG=%s", s.world.KubeconfigPath)
		}
		err = errors.Join(err, s.world.Close())
	}()
	if err != nil {
		return err
	}
	return s.play(ctx)
}

// lock keeps two demos with the same cluster apart; the system releases it when the program ends, however it ends.
func lock(id int) (release func(), err error) {
	path := fmt.Sprintf("%s/kafkarecover-demo-%d-%d.lock", os.TempDir(), os.Getuid(), id)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the demo: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(errors.New("another demo is running on this machine; wait for it or use --id"), file.Close())
	}
	return func() { _ = file.Close() }, nil
}
