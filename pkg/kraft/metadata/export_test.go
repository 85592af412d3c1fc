package metadata

// Layouts returns an empty message of every layout of a type: the current one, that of 3.0, that of 2.8.
func Layouts(t Type) []Message {
	return []Message{newMessage(t), new32(t), new28(t)}
}

// VersionsOf is the range of versions of a message.
func VersionsOf(m Message) (lowest, highest int16) { return m.versions() }

// ApplyDecoded is Apply of a record outside transactions without the quick way.
func (im *Image) ApplyDecoded(value []byte, at Position) error {
	rec := im.decoder.Decode(value)
	im.advance(at)
	return im.apply(&rec, value, at)
}

// Quick tells whether a value is taken the quick way.
func (im *Image) Quick(value []byte) bool { return im.topics.quick(value) }

// QuickText is the quick way of AppendJSON.
type QuickText struct{ quickText }

// Append appends the text of a value and tells whether it did.
func (q *QuickText) Append(b, value []byte) ([]byte, bool) { return q.append(b, value) }
