package tree

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Shell runs the commands of Kafka's metadata shell on a tree. It is for one goroutine.
type Shell struct {
	Root *Node
	Out  io.Writer
	// Escape makes a text from the log safe for where it is printed; nil leaves it as it is.
	Escape func(string) string
	// Width is the number of columns that ls may use; 0 puts one name on a line, as in a pipe.
	Width int

	cwd     string // clean and absolute, "" for the root
	history []string
	missing int
}

// Missing is how many paths given to commands were not found or were of the wrong kind.
func (s *Shell) Missing() int { return s.missing }

// Dir is the working directory.
func (s *Shell) Dir() string { return "/" + strings.TrimPrefix(s.cwd, "/") }

// match is a node found by a pattern, by its path from the root.
type match struct {
	node *Node
	path string
}

func (m match) name() string {
	if m.path == "" {
		return "/"
	}
	return path.Base(m.path)
}

// absolute resolves a path against the working directory.
func (s *Shell) absolute(p string) string {
	if !strings.HasPrefix(p, "/") {
		p = s.cwd + "/" + p
	}
	return strings.TrimSuffix(path.Clean("/"+p), "/")
}

// glob finds the nodes that a path with *, ?, [abc] and {a,b} names; a backslash takes the next character as it is.
func (s *Shell) glob(pattern string) []match {
	found := []match{{s.Root, ""}}
	for component := range strings.SplitSeq(s.absolute(pattern), "/") {
		if component == "" {
			continue
		}
		var next []match
		for _, m := range found {
			next = append(next, children(m, component)...)
		}
		found = next
	}
	return found
}

func children(m match, component string) []match {
	literal, expression := globPattern(component)
	if expression == nil {
		if c := m.node.Child(literal); c != nil {
			return []match{{c, m.path + "/" + literal}}
		}
		return nil
	}
	var out []match
	for _, name := range m.node.Names() {
		if expression.MatchString(name) {
			if c := m.node.Child(name); c != nil {
				out = append(out, match{c, m.path + "/" + name})
			}
		}
	}
	return out
}

// globPattern is the name that a component stands for, or an expression where it has special characters (Kafka's
// GlobComponent). A component that is no valid pattern stands for itself.
func globPattern(component string) (literal string, expression *regexp.Regexp) {
	var plain, re strings.Builder
	special, braces := false, 0
	runes := []rune(component)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		switch {
		case c == '\\' && i+1 < len(runes):
			i++
			plain.WriteRune(runes[i])
			re.WriteString(regexp.QuoteMeta(string(runes[i])))
			continue
		case c == '*':
			re.WriteString(".*")
			special = true
		case c == '?':
			re.WriteByte('.')
			special = true
		case c == '[' || c == ']':
			re.WriteRune(c)
			special = true
		case c == '{':
			re.WriteString("(?:(?:")
			special = true
			braces++
		case c == '}' && braces > 0:
			re.WriteString("))")
			braces--
		case c == ',' && braces > 0:
			re.WriteString(")|(?:")
		default:
			re.WriteString(regexp.QuoteMeta(string(c)))
		}
		plain.WriteRune(c)
	}
	if !special {
		return plain.String(), nil
	}
	compiled, err := regexp.Compile("^(?s:" + re.String() + ")$")
	if err != nil {
		return component, nil
	}
	return "", compiled
}

// commands are the names Run knows, with what man says of them.
func commands() map[string]string {
	return map[string]string{
		"cat":     "cat: Show the contents of metadata files.\n\nusage: cat [targets]",
		"cd":      "cd: Set the current working directory.\n\nusage: cd [target]",
		"exit":    "exit: Exit the metadata shell.\n\nusage: exit",
		"find":    "find: Search for nodes in the directory hierarchy.\n\nusage: find [paths]",
		"help":    "help: Display this help message.\n\nusage: help",
		"history": "history: Print command history.\n\nusage: history [numEntriesToShow]",
		"ls":      "ls: List metadata nodes.\n\nusage: ls [targets]",
		"man":     "man: Show the help text for a specific command.\n\nusage: man [cmd]",
		"pwd":     "pwd: Print the current working directory.\n\nusage: pwd",
		"tree":    "tree: Show the contents of metadata nodes in a tree structure.\n\nusage: tree [targets]",
	}
}

// CommandNames are the names of the commands, sorted.
func CommandNames() []string {
	var names []string
	for name := range commands() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ErrExit is returned by Run for the command exit.
var ErrExit = fmt.Errorf("exit")

// Run runs one command. Paths that are not there are told on Out, as Kafka's shell does, and counted by Missing; an
// error is one of writing, or ErrExit.
func (s *Shell) Run(args ...string) error {
	if len(args) == 0 {
		return nil
	}
	s.history = append(s.history, strings.Join(args, " "))
	w := bufio.NewWriterSize(s.Out, 1<<16)
	err := s.run(w, args[0], args[1:])
	if flushErr := w.Flush(); err == nil {
		err = flushErr
	}
	return err
}

func (s *Shell) run(w *bufio.Writer, command string, args []string) error {
	targets := args
	if len(targets) == 0 {
		targets = []string{"."}
	}
	switch command {
	case "ls":
		return s.ls(w, targets)
	case "cat":
		return s.cat(w, args)
	case "find":
		return s.find(w, targets)
	case "tree":
		return s.tree(w, targets)
	case "cd":
		return s.cd(w, args)
	case "pwd":
		return line(w, s.Dir())
	case "man":
		return s.man(w, args)
	case "help":
		return s.help(w)
	case "history":
		return s.showHistory(w, args)
	case "exit":
		return ErrExit
	}
	s.missing++
	return line(w, fmt.Sprintf("invalid choice: '%s' (choose from '%s')", s.clean(command),
		strings.Join(CommandNames(), "', '")))
}

func (s *Shell) clean(text string) string {
	if s.Escape == nil {
		return text
	}
	return s.Escape(text)
}

func line(w *bufio.Writer, text string) error {
	if _, err := w.WriteString(text); err != nil {
		return err //nolint:wrapcheck // of the caller's own writer
	}
	return w.WriteByte('\n')
}

func (s *Shell) complain(w *bufio.Writer, command, target, message string) error {
	s.missing++
	return line(w, command+": "+s.clean(target)+": "+message)
}

func (s *Shell) cat(w *bufio.Writer, targets []string) error {
	for _, target := range targets {
		found := s.glob(target)
		if len(found) == 0 {
			if err := s.complain(w, "cat", target, "No such file or directory."); err != nil {
				return err
			}
		}
		for _, m := range found {
			var err error
			if m.node.IsDir() {
				err = s.complain(w, "cat", target, "Is a directory")
			} else {
				err = line(w, s.content(m.node))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// content escapes line by line: the texts of the short layout have several.
func (s *Shell) content(n *Node) string {
	if s.Escape == nil {
		return n.Text()
	}
	lines := strings.Split(n.Text(), "\n")
	for i := range lines {
		lines[i] = s.Escape(lines[i])
	}
	return strings.Join(lines, "\n")
}

func (s *Shell) find(w *bufio.Writer, targets []string) error {
	for _, target := range targets {
		found := s.glob(target)
		if len(found) == 0 {
			if err := s.complain(w, "find", target, "no such file or directory."); err != nil {
				return err
			}
		}
		for _, m := range found {
			shown := target
			if len(found) > 1 || strings.ContainsAny(target, `*?[{\`) {
				shown = strings.TrimPrefix(m.path, "/")
			}
			if err := s.walk(w, shown, m.node); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Shell) walk(w *bufio.Writer, name string, n *Node) error {
	if err := line(w, s.clean(name)); err != nil {
		return err
	}
	for _, child := range n.Names() {
		if c := n.Child(child); c != nil {
			if err := s.walk(w, strings.TrimSuffix(name, "/")+"/"+child, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Shell) tree(w *bufio.Writer, targets []string) error {
	for _, target := range targets {
		found := s.glob(target)
		if len(found) == 0 {
			if err := s.complain(w, "tree", target, "No such file or directory."); err != nil {
				return err
			}
		}
		for _, m := range found {
			if err := s.branch(w, m.node, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Shell) branch(w *bufio.Writer, n *Node, indent int) error {
	pad := strings.Repeat(" ", indent)
	if !n.IsDir() {
		return line(w, pad+s.content(n))
	}
	for _, name := range n.Names() {
		child := n.Child(name)
		if child == nil {
			continue
		}
		if err := line(w, pad+s.clean(name)+":"); err != nil {
			return err
		}
		if err := s.branch(w, child, indent+2); err != nil {
			return err
		}
	}
	return nil
}
