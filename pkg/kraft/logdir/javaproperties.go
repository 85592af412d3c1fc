package logdir

import "bytes"

// logicalLines rewrites a Java properties file so that every entry is one line "key=value" with its escapes left in
// place. It does what java.util.Properties.load does before it looks at escapes: line ends of all three kinds,
// continuations wherever they stand, comments, and the separators between key and value. The properties library agrees
// with Java on what is then left, but not on these. Entries with an empty key, which it refuses, are left out: Kafka
// asks for none.
func logicalLines(data []byte) []byte {
	var out []byte
	for len(data) > 0 {
		var line []byte
		line, data = logicalLine(data)
		key, value := splitEntry(line)
		if len(key) == 0 {
			continue
		}
		out = append(append(append(append(out, key...), '='), value...), '\n')
	}
	return out
}

const javaBlank = " \t\f"

// logicalLine returns the next logical line, empty for a comment or a blank one, and what is left.
func logicalLine(data []byte) (line, rest []byte) {
	for {
		var natural []byte
		natural, data = naturalLine(data)
		natural = bytes.TrimLeft(natural, javaBlank)
		if len(line) == 0 && len(natural) > 0 && (natural[0] == '#' || natural[0] == '!') {
			return nil, data
		}
		backslashes := len(natural) - len(bytes.TrimRight(natural, "\\"))
		if backslashes%2 == 0 {
			return append(line, natural...), data
		}
		line = append(line, natural[:len(natural)-1]...)
		if len(data) == 0 {
			return line, nil
		}
	}
}

// naturalLine cuts at \n, \r or \r\n.
func naturalLine(data []byte) (line, rest []byte) {
	end := bytes.IndexAny(data, "\r\n")
	if end < 0 {
		return data, nil
	}
	rest = data[end+1:]
	if data[end] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return data[:end], rest
}

// splitEntry splits a logical line at the first separator that is not escaped: blanks, one = or :, blanks.
func splitEntry(line []byte) (key, value []byte) {
	end := 0
	for ; end < len(line) && !bytes.ContainsRune([]byte("=:"+javaBlank), rune(line[end])); end++ {
		if line[end] == '\\' {
			end++
		}
	}
	end = min(end, len(line))
	value = bytes.TrimLeft(line[end:], javaBlank)
	if len(value) > 0 && (value[0] == '=' || value[0] == ':') {
		value = bytes.TrimLeft(value[1:], javaBlank)
	}
	return line[:end], value
}
