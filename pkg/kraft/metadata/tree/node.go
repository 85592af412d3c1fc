// Package tree shows an image of the cluster metadata as the tree of Kafka's kafka-metadata-shell, with the shell's
// commands: ls, cat, find, tree. It makes nodes when they are asked for, so that a large image costs no more for being
// looked at. Layout and texts are those of Kafka's shell module (org.apache.kafka.shell.node) and of the toString
// methods it prints.
package tree

import (
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// Node is a directory or a file of the tree.
type Node struct {
	// names lists the children in order, child makes one; both are nil for a file.
	names func() []string
	child func(name string) *Node
	text  func() string
	// hidden are children that are found by name and not listed.
	hidden func(name string) *Node
}

// IsDir tells whether the node has children rather than text.
func (n *Node) IsDir() bool { return n.child != nil }

// Names are the names of the children, sorted.
func (n *Node) Names() []string {
	if n.names == nil {
		return nil
	}
	return n.names()
}

// Child is a child by its name, nil when there is none.
func (n *Node) Child(name string) *Node {
	if n.child == nil {
		return nil
	}
	if c := n.child(name); c != nil {
		return c
	}
	if n.hidden != nil {
		return n.hidden(name)
	}
	return nil
}

// Text is the content of a file.
func (n *Node) Text() string {
	if n.text == nil {
		return ""
	}
	return n.text()
}

func leaf(text string) *Node { return &Node{text: func() string { return text }} }

// fixed is a directory of known children.
func fixed(children map[string]*Node) *Node {
	return &Node{
		names: func() []string {
			names := make([]string, 0, len(children))
			for name := range children {
				names = append(names, name)
			}
			slices.Sort(names)
			return names
		},
		child: func(name string) *Node { return children[name] },
	}
}

// listing is a directory whose children are found by name.
func listing(names func() []string, child func(string) *Node) *Node {
	return &Node{
		names: func() []string {
			out := names()
			slices.Sort(out)
			return out
		},
		child: child,
	}
}

// Style is the Kafka release whose texts are printed.
type Style string

// The styles. Texts changed between releases: 4.2 prints ACLs in brackets and metadataVersion as Optional[…], 4.3 the
// cordoned directories of brokers.
const (
	Style39 Style = "3.9"
	Style42 Style = "4.2"
	Style43 Style = "4.3"
)

// Styles lists them.
func Styles() []Style { return []Style{Style39, Style42, Style43} }

// StyleOf is the style of the release that a metadata version belongs to.
func StyleOf(v metadata.Version) Style {
	switch {
	case v >= 30:
		return Style43
	case v >= 22:
		return Style42
	}
	return Style39
}

// Options set what the tree shows.
type Options struct {
	// Style is the release to print like; empty for the one of the image's metadata version.
	Style Style
	// ShowSecrets shows SCRAM keys and sensitive configuration values.
	ShowSecrets bool
	// Version and Commit are the content of local/version and local/commitId: those of this program.
	Version, Commit string
}

// view makes nodes of one image.
type view struct {
	im   *metadata.Image
	opts Options
}

// New is the root of the tree of an image: image and local, as ls / shows them in Kafka's shell since 3.5. The short
// layout of older releases (brokers, topics/NAME/0/data, topicIds, configs, metadataQuorum) is found by name too.
func New(im *metadata.Image, opts Options) *Node {
	if opts.Style == "" {
		opts.Style = StyleOf(im.MetadataVersion())
	}
	v := &view{im: im, opts: opts}
	root := fixed(map[string]*Node{
		"image": v.image(),
		"local": fixed(map[string]*Node{"version": leaf(opts.Version), "commitId": leaf(opts.Commit)}),
	})
	root.hidden = v.short
	return root
}

// Find walks down to the node of a path, nil when there is none. Slashes at the ends and doubled ones do not matter.
func (n *Node) Find(path string) *Node {
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if n = n.Child(name); n == nil {
			return nil
		}
	}
	return n
}
