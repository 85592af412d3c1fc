package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// needs says what a run is going to use.
type needs struct {
	cluster bool
	race    bool
}

// requirement is a program of the machine, the Debian packages that bring it, and what it is for.
type requirement struct {
	program  string
	packages []string
	purpose  string
	// enough looks at the installed program; nil means that its presence is enough.
	enough func(context.Context) error
}

func requirements(n needs) []requirement {
	list := []requirement{{program: "git", packages: []string{"git"}, purpose: "to find the commit"}}
	if n.race {
		list = append(list, requirement{
			program: "gcc", packages: []string{"gcc", "libc6-dev"}, purpose: "for Go's race detector",
		})
	}
	if n.cluster {
		list = append(list,
			requirement{
				program: "javac", packages: []string{"default-jdk-headless"}, purpose: "to run real Kafka",
				enough: javaIsNew,
			},
			requirement{program: "mvn", packages: []string{"maven"}, purpose: "to get Kafka's and Strimzi's packages"},
			requirement{program: "mmdebstrap", packages: []string{"mmdebstrap"}, purpose: "to make the Kafka image"},
		)
	}
	return list
}

// prepare installs the Debian packages that are missing when it may, and else says exactly what is missing. What the
// cluster itself takes (containerd and the like) is installed by the sandbox.
func prepare(ctx context.Context, log io.Writer, n needs) error {
	if n.cluster && runtime.GOOS != "linux" {
		return fmt.Errorf("these tests start a Kubernetes cluster on this machine, which takes Linux, not %s; "+
			"make test-unit runs the others", runtime.GOOS)
	}
	if n.cluster && os.Getuid() != 0 {
		return errors.New("a Kubernetes cluster is started on this machine, which takes root: run the same command as " +
			"root; make test-unit runs the tests that need neither")
	}
	packages, purposes := missing(ctx, requirements(n))
	if len(packages) == 0 {
		return nil
	}
	what, wanted := strings.Join(purposes, "; "), strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("missing: %s. There is no apt-get here; Debian's packages are: %s", what, wanted)
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("missing: %s. Install as root: apt-get install %s", what, wanted)
	}
	fmt.Fprintf(log, "installing %s\n", wanted)
	if err := install(ctx, packages); err != nil {
		return err
	}
	if _, purposes := missing(ctx, requirements(n)); len(purposes) > 0 {
		return fmt.Errorf("still missing after installing %s: %s", wanted, strings.Join(purposes, "; "))
	}
	return nil
}

func missing(ctx context.Context, list []requirement) (packages, purposes []string) {
	for _, r := range list {
		_, err := exec.LookPath(r.program)
		if err == nil && r.enough != nil {
			err = r.enough(ctx)
		}
		if err == nil {
			continue
		}
		packages = append(packages, r.packages...)
		purposes = append(purposes, fmt.Sprintf("%s %s", r.program, r.purpose))
	}
	return packages, purposes
}

// install updates the package list only when installing fails without.
func install(ctx context.Context, packages []string) error {
	args := slices.Concat([]string{"install", "-y", "--no-install-recommends"}, packages)
	if _, err := aptGet(ctx, args...); err == nil {
		return nil
	}
	if output, err := aptGet(ctx, "update"); err != nil {
		return fmt.Errorf("update the package list: %w: %s", err, output)
	}
	if output, err := aptGet(ctx, args...); err != nil {
		return fmt.Errorf("install %s: %w: %s", strings.Join(packages, " "), err, output)
	}
	return nil
}

// aptGet returns the last line of the output, where apt says what is wrong.
func aptGet(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	output, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1], err
}

// oldestJava runs Kafka 4 and Strimzi's packages.
const oldestJava = 17

func javaIsNew(ctx context.Context) error {
	output, err := exec.CommandContext(ctx, "javac", "-version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("ask javac for its version: %w", err)
	}
	if major := javaMajor(string(output)); major < oldestJava {
		return fmt.Errorf("javac is %d and has to be at least %d", major, oldestJava)
	}
	return nil
}

var javaVersion = regexp.MustCompile(`javac (\d+)`)

// javaMajor is 0 for what is not understood; "1.8" is 1, which is too old all the same.
func javaMajor(output string) int {
	match := javaVersion.FindStringSubmatch(output)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(match[1]) // digits
	return major
}
