package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/kafkarecover/kafkarecover/pkg/config"
)

// flags are those of a command.
type flags struct {
	*pflag.FlagSet
	timeout time.Duration
	image   string
	ignore  []string
	yes     bool
}

func newFlags(t *testing.T, args ...string) *flags {
	t.Helper()
	f := &flags{FlagSet: pflag.NewFlagSet("scan", pflag.ContinueOnError)}
	f.DurationVar(&f.timeout, "read-timeout", time.Minute, "")
	f.StringVar(&f.image, "image", "", "")
	f.StringArrayVar(&f.ignore, "ignore", nil, "")
	f.BoolVar(&f.yes, "yes", false, "")
	f.String("namespace", "", "")
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f
}

func known() config.Known {
	return config.Known{
		Flags:    map[string]bool{"read-timeout": true, "image": true, "ignore": true, "yes": true, "namespace": true},
		Commands: map[string]bool{"scan": true, "metadata": true, "metadata.records": true},
	}
}

// source returns a source with a file, and an environment.
func source(t *testing.T, file string, env map[string]string) config.Source {
	t.Helper()
	s := config.Source{Getenv: func(name string) string { return env[name] }}
	if file != "" {
		s.Path = filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(s.Path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func apply(t *testing.T, s config.Source, f *flags, command string) error {
	t.Helper()
	settings, err := s.Load(known)
	if err != nil {
		return err
	}
	return settings.Apply(f.FlagSet, command)
}

func TestWhereAValueComesFrom(t *testing.T) {
	t.Parallel()
	const file = "read-timeout: 3m\nscan:\n  read-timeout: 4m\n"
	env := map[string]string{"KAFKARECOVER_READ_TIMEOUT": "2m"}
	for title, tc := range map[string]struct {
		args    []string
		env     map[string]string
		file    string
		command string
		want    time.Duration
	}{
		"the default":                     {nil, nil, "", "scan", time.Minute},
		"the file":                        {nil, nil, file, "restore", 3 * time.Minute},
		"the file's section":              {nil, nil, file, "scan", 4 * time.Minute},
		"the environment before the file": {nil, env, file, "scan", 2 * time.Minute},
		"the command line before all":     {[]string{"--read-timeout", "1s"}, env, file, "scan", time.Second},
		"the default, asked for":          {[]string{"--read-timeout", "1m"}, env, file, "scan", time.Minute},
	} {
		f := newFlags(t, tc.args...)
		if err := apply(t, source(t, tc.file, tc.env), f, tc.command); err != nil || f.timeout != tc.want {
			t.Errorf("%s: want %v, got %v, %v", title, tc.want, f.timeout, err)
		}
	}
}

func TestAListInTheFileIsOneFlagEach(t *testing.T) {
	t.Parallel()
	f := newFlags(t)
	if err := apply(t, source(t, "ignore:\n  - a=b,c\n  - d\n", nil), f, "scan"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a=b,c", "d"}, f.ignore); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// docs/safety-contract.md, line 10.
func TestWhatMustComeFromTheCommandLine(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{
		"yes", "accept", "exclude", "include", "lost", "cluster-id", "set-aside", "restart-operator", "hold-operator",
		"namespace", "cluster", "statefulset",
	} {
		if !config.CommandLineOnly(flag) {
			t.Errorf("--%s may come from elsewhere", flag)
		}
	}
	if config.CommandLineOnly("image") {
		t.Error("--image may come from anywhere")
	}
	for title, s := range map[string]config.Source{
		"environment": source(t, "", map[string]string{"KAFKARECOVER_YES": "true"}),
		"file":        source(t, "yes: true\n", nil),
		"section":     source(t, "scan:\n  yes: true\n", nil),
	} {
		f := newFlags(t)
		err := apply(t, s, f, "scan")
		if err == nil || f.yes || !strings.Contains(err.Error(), "command line only") {
			t.Errorf("%s: want it refused, got %v, %v", title, f.yes, err)
		}
	}
	f := newFlags(t, "--yes")
	if err := apply(t, source(t, "", nil), f, "scan"); err != nil || !f.yes {
		t.Errorf("on the command line it holds, got %v, %v", f.yes, err)
	}
}

func TestSettingsThatCannotBeUsedAreErrors(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		file string
		env  map[string]string
		says []string
	}{
		"an unknown key":     {"imagee: x\n", nil, []string{"unknown key", `"imagee"`}},
		"an unknown command": {"scann:\n  image: x\n", nil, []string{`"scann"`, "does not exist"}},
		"no YAML":            {"image: [\n", nil, []string{"read the configuration file"}},
		"a wrong value":      {"read-timeout: soon\n", nil, []string{"config.yaml", `"read-timeout"`, "soon"}},
		"a section for a value": {
			"scan:\n  image:\n    tag: x\n", nil, []string{`"scan.image.tag"`},
		},
		"a wrong value in a list": {"read-timeout:\n  - soon\n", nil, []string{"soon"}},
		"a wrong environment": {
			"", map[string]string{"KAFKARECOVER_READ_TIMEOUT": "soon"}, []string{"KAFKARECOVER_READ_TIMEOUT", "soon"},
		},
	} {
		err := apply(t, source(t, tc.file, tc.env), newFlags(t), "scan")
		if err == nil {
			t.Errorf("%s: taken", title)
			continue
		}
		for _, text := range tc.says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: want %q in %q", title, text, err)
			}
		}
	}
}

func TestWhereTheFileIs(t *testing.T) {
	t.Parallel()
	getenv := func(env map[string]string) func(string) string { return func(n string) string { return env[n] } }
	for _, tc := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/kafkarecover/config.yaml"},
		{map[string]string{"HOME": "/h"}, "/h/.config/kafkarecover/config.yaml"},
		{map[string]string{"USERPROFILE": "/u"}, "/u/.config/kafkarecover/config.yaml"},
		{nil, ""},
	} {
		if got := config.DefaultPath(getenv(tc.env)); filepath.ToSlash(got) != tc.want {
			t.Errorf("%v: want %q, got %q", tc.env, tc.want, got)
		}
	}
}

func TestTheDefaultFileNeedNotExistANamedOneMust(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	asked := false
	none := func() config.Known { asked = true; return known() }
	s := config.Source{Getenv: func(n string) string { return map[string]string{"XDG_CONFIG_HOME": dir}[n] }}
	settings, err := s.Load(none)
	if err != nil || settings.Path() != "" || asked {
		t.Errorf("want nothing read, got %v, %v, asked %v", settings, err, asked)
	}
	s.Path = filepath.Join(dir, "named.yaml")
	if _, err := s.Load(none); err == nil {
		t.Error("a file that was named and is missing must be told")
	}
	s.Path = ""
	path := filepath.Join(dir, "kafkarecover", "config.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("image: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if settings, err = s.Load(none); err != nil || settings.Path() != path {
		t.Errorf("want %q read, got %q, %v", path, settings.Path(), err)
	}
	s.Getenv = func(string) string { return "" }
	if settings, err = s.Load(none); err != nil || settings.Path() != "" {
		t.Errorf("without a home there is no file, got %v, %v", settings, err)
	}
}
