// Package config owns where the value of a flag comes from: the command line, else the environment (KAFKARECOVER_*),
// else a configuration file, else the default. It also owns what must come from the command line alone. It does not
// know what any flag means.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// EnvPrefix begins the name of every environment variable that is read: --read-timeout is KAFKARECOVER_READ_TIMEOUT.
const EnvPrefix = "KAFKARECOVER"

// Source is where values come from besides the command line.
type Source struct {
	// Getenv looks up an environment variable; os.Getenv in the tool itself.
	Getenv func(string) string
	// Path is the file named by --config; it must exist. Empty means DefaultPath, which need not exist.
	Path string
}

// Known tells which keys a configuration file may have: every flag by name, every command by its path of names.
type Known struct {
	Flags    map[string]bool
	Commands map[string]bool
}

// commandLineOnly are the flags that say where to act, what to give up and that it may be done. Taken from the
// environment or a file they would act where, or lift what, the person at the keyboard did not see (safety contract,
// line 10).
func commandLineOnly() []string {
	return []string{
		"accept", "all-namespaces", "cluster", "cluster-id", "config", "exclude", "help", "hold-operator", "include", "lost",
		"namespace", "restart-operator", "set-aside", "show-secrets", "statefulset", "yes",
	}
}

// CommandLineOnly tells whether a flag is read from the command line and nowhere else.
func CommandLineOnly(flag string) bool { return slices.Contains(commandLineOnly(), flag) }

// EnvName is the environment variable of a flag.
func EnvName(flag string) string {
	return EnvPrefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// DefaultPath is where the configuration file lies unless --config names another: below $XDG_CONFIG_HOME, else
// ~/.config. It is empty when neither is known.
func DefaultPath(getenv func(string) string) string {
	dir := getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := getenv("HOME")
		if home == "" {
			home = getenv("USERPROFILE") // Windows
		}
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "kafkarecover", "config.yaml")
}

// Load reads the configuration file; known is asked only where there is one. A file that does not parse, or that has a
// key which is no flag and no command or may only come from the command line, is an error: a setting that is quietly
// not used would be worse.
func (s Source) Load(known func() Known) (*Settings, error) {
	v := viper.New()
	out := &Settings{v: v, getenv: s.Getenv}
	path := s.Path
	if path == "" {
		path = DefaultPath(s.Getenv)
	}
	if path == "" {
		return out, nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && s.Path == "" {
		return out, nil
	}
	v.SetConfigFile(path)
	v.SetConfigType("yaml")
	if err := v.ReadInConfig(); err != nil {
		return nil, fmt.Errorf("read the configuration file %q: %w", path, err)
	}
	out.path = path
	if err := out.check(known()); err != nil {
		return nil, err
	}
	return out, nil
}

// Settings are the values found outside the command line.
type Settings struct {
	v      *viper.Viper
	getenv func(string) string
	path   string
}

// Path is the configuration file that was read; empty when there was none.
func (s *Settings) Path() string { return s.path }

func (s *Settings) check(known Known) error {
	for _, key := range s.v.AllKeys() {
		command, flag := splitKey(key)
		if command != "" && !known.Commands[command] {
			return fmt.Errorf("configuration file %q: key %q names the command %q, which does not exist",
				s.path, key, strings.ReplaceAll(command, ".", " "))
		}
		if CommandLineOnly(flag) {
			return fmt.Errorf("configuration file %q: --%s is taken from the command line only; remove the key %q",
				s.path, flag, key)
		}
		if !known.Flags[flag] {
			return fmt.Errorf("configuration file %q: unknown key %q; keys are the names of flags without the dashes",
				s.path, key)
		}
	}
	return nil
}

func splitKey(key string) (command, flag string) {
	i := strings.LastIndexByte(key, '.')
	if i < 0 {
		return "", key
	}
	return key[:i], key[i+1:]
}

// Apply gives every flag that was not set on the command line its value from the environment or the file. command is
// the path of command names below the root joined by dots ("metadata.records"); a section of that name in the file goes
// before a key at the top. A command-line-only flag that the environment sets is an error.
func (s *Settings) Apply(fs *pflag.FlagSet, command string) error {
	var errs []error
	fs.VisitAll(func(f *pflag.Flag) {
		env := s.getenv(EnvName(f.Name))
		if CommandLineOnly(f.Name) {
			if env != "" && f.Name != "help" && f.Name != "config" {
				errs = append(errs, fmt.Errorf("%s is set, but --%s is taken from the command line only; unset it",
					EnvName(f.Name), f.Name))
			}
			return
		}
		if f.Changed {
			return
		}
		if err := s.set(fs, f, command, env); err != nil {
			errs = append(errs, err)
		}
	})
	return errors.Join(errs...)
}

func (s *Settings) set(fs *pflag.FlagSet, f *pflag.Flag, command, env string) error {
	if env != "" {
		if err := fs.Set(f.Name, env); err != nil {
			return fmt.Errorf("environment variable %s: %w", EnvName(f.Name), err)
		}
		return nil
	}
	for _, key := range []string{command + "." + f.Name, f.Name} {
		if !s.v.IsSet(key) {
			continue
		}
		if err := s.setFromFile(fs, f, key); err != nil {
			return fmt.Errorf("configuration file %q, key %q: %w", s.path, key, err)
		}
		return nil
	}
	return nil
}

func (s *Settings) setFromFile(fs *pflag.FlagSet, f *pflag.Flag, key string) error {
	switch v := s.v.Get(key).(type) {
	case map[string]any:
		return errors.New("expected a value, found a section")
	case []any:
		for _, e := range v { // one --flag each, so that a comma within a value stays
			if err := fs.Set(f.Name, fmt.Sprint(e)); err != nil {
				return err
			}
		}
		return nil
	default:
		return fs.Set(f.Name, s.v.GetString(key))
	}
}
