package tree

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ls lists files first, then each directory, with its name in front when there is more than one thing to list.
func (s *Shell) ls(w *bufio.Writer, targets []string) error {
	var files []string
	var dirs []match
	for _, target := range targets {
		found := s.glob(target)
		if len(found) == 0 {
			if err := s.complain(w, "ls", target, "no such file or directory."); err != nil {
				return err
			}
		}
		for _, m := range found {
			if m.node.IsDir() {
				dirs = append(dirs, m)
			} else {
				files = append(files, m.name())
			}
		}
	}
	if err := s.entries(w, "", files); err != nil {
		return err
	}
	titled, first := len(files) > 0 || len(dirs) > 1, len(files) == 0
	for _, m := range dirs {
		title := ""
		if titled {
			title = s.clean(m.name()) + ":"
			if !first {
				title = "\n" + title
			}
			first = false
		}
		if err := s.entries(w, title, m.node.Names()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shell) entries(w *bufio.Writer, title string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	if title != "" {
		if err := line(w, title); err != nil {
			return err
		}
	}
	clean := make([]string, len(names))
	for i, name := range names {
		clean[i] = s.clean(name)
	}
	rows, widths := columns(clean, s.Width)
	for row := range rows {
		text := ""
		for column, width := range widths {
			i := row + column*rows
			if i >= len(clean) {
				break
			}
			text += clean[i]
			if column+1 < len(widths) && i+rows < len(clean) {
				text += strings.Repeat(" ", width-utf8.RuneCountInString(clean[i]))
			}
		}
		if err := line(w, text); err != nil {
			return err
		}
	}
	return nil
}

// maxColumns is as many columns as Kafka's shell tries.
const maxColumns = 20

// columns chooses the most columns of which the names, two spaces apart, fit the width; names go down first.
func columns(names []string, width int) (rows int, widths []int) {
	for count := min(maxColumns, len(names)); count > 1 && width > 0; count-- {
		rows = (len(names) + count - 1) / count
		total := 0
		widths = nil
		for start := 0; start < len(names); start += rows {
			widest := 0
			for _, name := range names[start:min(start+rows, len(names))] {
				widest = max(widest, utf8.RuneCountInString(name)+2)
			}
			widths = append(widths, widest)
			total += widest
		}
		if total <= width {
			return rows, widths
		}
	}
	return len(names), []int{0}
}

func (s *Shell) cd(w *bufio.Writer, args []string) error {
	target := "/"
	if len(args) > 0 {
		target = args[0]
	}
	found := s.glob(target)
	switch {
	case len(found) == 0:
		return s.complain(w, "cd", target, "no such file or directory.")
	case !found[0].node.IsDir():
		return s.complain(w, "cd", target, "not a directory.")
	}
	s.cwd = found[0].path
	return nil
}

func (s *Shell) man(w *bufio.Writer, args []string) error {
	if len(args) == 0 {
		return s.help(w)
	}
	text, ok := commands()[args[0]]
	if !ok {
		return s.complain(w, "man", args[0], "there is no such command.")
	}
	return line(w, text)
}

func (s *Shell) help(w *bufio.Writer) error {
	all := commands()
	for _, name := range CommandNames() {
		summary, _, _ := strings.Cut(all[name], "\n")
		if err := line(w, summary); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shell) showHistory(w *bufio.Writer, args []string) error {
	from := 0
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 0 {
			return s.complain(w, "history", args[0], "not a number of entries.")
		}
		from = max(0, len(s.history)-n)
	}
	for i, command := range s.history[from:] {
		if err := line(w, fmt.Sprintf("% 5d  %s", from+i, s.clean(command))); err != nil {
			return err
		}
	}
	return nil
}

// Complete lists what the last word of a line typed can become: commands, then paths, directories with a slash.
func (s *Shell) Complete(typed string) []string {
	words := strings.Fields(typed)
	if strings.HasSuffix(typed, " ") || len(words) == 0 {
		words = append(words, "")
	}
	last := words[len(words)-1]
	if len(words) == 1 {
		return slices.DeleteFunc(CommandNames(), func(name string) bool { return !strings.HasPrefix(name, last) })
	}
	dir, base := "", last
	if i := strings.LastIndexByte(last, '/'); i >= 0 {
		dir, base = last[:i+1], last[i+1:]
	}
	n := s.Root.Find(s.absolute("./" + dir))
	if strings.HasPrefix(dir, "/") {
		n = s.Root.Find(dir)
	}
	if n == nil {
		return nil
	}
	var out []string
	for _, name := range n.Names() {
		if !strings.HasPrefix(name, base) {
			continue
		}
		if c := n.Child(name); c != nil && c.IsDir() {
			name += "/"
		}
		out = append(out, dir+name)
	}
	return out
}
