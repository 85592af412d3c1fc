package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/test/sandbox/image"
)

// imageOptions are the flags as typed.
type imageOptions struct {
	out                       string
	spec                      image.Spec
	trees, files, links, dirs []string
}

func newImage() *cobra.Command {
	o := &imageOptions{}
	cmd := &cobra.Command{
		Use:   "image --output ARCHIVE --name NAME:TAG [flags]",
		Short: "Make an OCI image archive from files of this machine",
		Long: `Make an OCI image archive from files of this machine, without a registry or a daemon. Layers
given with --layer (root file system tars) lie below one layer of the given trees, directories,
files and links. The same inputs give the same bytes. Avoid tag latest: the kubelet would pull it.`,
		Example: `  sandbox image --output tool.tar --name sandbox.test/tool:1 --file /tool=bin/tool --entrypoint /tool
  sandbox image --output kafka.tar --name sandbox.test/kafka:1 --layer rootfs.tar --tree /opt/kafka=./kafka`,
		Args: positional(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(); err != nil {
				return usageError{err}
			}
			digest, err := image.WriteFile(o.out, o.spec)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\t%s\n", o.out, o.spec.Name, digest)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.out, "output", "o", "", "archive to write")
	flags.StringVar(&o.spec.Name, "name", "", "image name with tag; any registry name may be given")
	flags.StringArrayVar(&o.spec.Entrypoint, "entrypoint", nil, "program and leading arguments (repeatable)")
	flags.StringArrayVar(&o.spec.Cmd, "cmd", nil, "default arguments (repeatable)")
	flags.StringArrayVar(&o.spec.Env, "env", nil, "NAME=value (repeatable)")
	flags.StringVar(&o.spec.User, "user", "", "user, or user:group")
	flags.StringVar(&o.spec.WorkDir, "workdir", "/", "working directory")
	flags.StringArrayVar(&o.spec.Layers, "layer", nil, "existing layer tar, lowest first (repeatable)")
	flags.StringArrayVar(&o.trees, "tree", nil, "PATH-IN-IMAGE=DIRECTORY (repeatable)")
	flags.StringArrayVar(&o.files, "file", nil, "PATH-IN-IMAGE=FILE (repeatable)")
	flags.StringArrayVar(&o.links, "link", nil, "PATH-IN-IMAGE=TARGET (repeatable)")
	flags.StringArrayVar(&o.dirs, "dir", nil, "PATH-IN-IMAGE=OCTAL-MODE (repeatable)")
	return cmd
}

// complete turns the flags' PATH=VALUE texts into the description.
func (o *imageOptions) complete() error {
	if o.out == "" || o.spec.Name == "" {
		return fmt.Errorf("--output and --name are required")
	}
	o.spec.Trees, o.spec.Files, o.spec.Links, o.spec.Dirs = nil, nil, nil, nil
	for _, list := range []struct {
		flag   string
		values []string
		add    func(path, value string) error
	}{
		{"tree", o.trees, func(p, v string) error {
			o.spec.Trees = append(o.spec.Trees, image.Tree{Path: p, Source: v})
			return nil
		}},
		{"file", o.files, func(p, v string) error {
			o.spec.Files = append(o.spec.Files, image.File{Path: p, Source: v})
			return nil
		}},
		{"link", o.links, func(p, v string) error {
			o.spec.Links = append(o.spec.Links, image.Link{Path: p, Target: v})
			return nil
		}},
		{"dir", o.dirs, o.addDir},
	} {
		for _, text := range list.values {
			path, value, ok := strings.Cut(text, "=")
			if !ok || !strings.HasPrefix(path, "/") || value == "" {
				return fmt.Errorf("--%s %q is not PATH=VALUE with an absolute path", list.flag, text)
			}
			if err := list.add(path, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *imageOptions) addDir(path, value string) error {
	mode, err := strconv.ParseUint(value, 8, 12)
	if err != nil {
		return fmt.Errorf("--dir %q: mode %q is not octal: %w", path, value, err)
	}
	o.spec.Dirs = append(o.spec.Dirs, image.Dir{Path: path, Mode: int64(mode)})
	return nil
}
