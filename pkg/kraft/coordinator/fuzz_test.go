package coordinator_test

import (
	"encoding/json"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/coordinator"
)

// Whatever the bytes are: no panic, JSON that parses, and memory in proportion to them.
func FuzzRecord(f *testing.F) {
	for i, r := range records(f) {
		if i%7 == 0 {
			f.Add(uint8(i), r.key, r.value)
		}
	}
	var decoders []*coordinator.Decoder
	for _, kind := range coordinator.Kinds() {
		for _, before40 := range []bool{false, true} {
			d, err := coordinator.New(kind, before40)
			if err != nil {
				f.Fatal(err)
			}
			decoders = append(decoders, d)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, key, value []byte) {
		d := decoders[int(which)%len(decoders)]
		if len(key) < 2 {
			return
		}
		text, err := d.Key(key)
		if err == nil && !json.Valid(text) {
			t.Errorf("%x: %s", key, text)
		}
		text, err = d.Value(int16(key[0])<<8|int16(key[1]), value)
		if err == nil && !json.Valid(text) {
			t.Errorf("%x: %s", value, text)
		}
		// A control character becomes six bytes, a structure of nothing its fields' names.
		line, _ := d.AppendKafka(nil, 1, key, value)
		if limit := 4096 + 512*(len(key)+len(value)); len(line) > limit {
			t.Errorf("%d bytes of %d", len(line), len(key)+len(value))
		}
	})
}
