package metadata_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// fill gives every field of a message a random value; fields that the version has no place for, which the table marks
// since, keep their defaults because encoding would refuse them.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "Unknown" {
				if r.IntN(4) == 0 {
					tag := uint32(100 + r.IntN(5))
					v.Field(i).Set(reflect.ValueOf([]metadata.TaggedField{{Tag: tag, Data: []byte{1, 2, 3}}}))
				}
				continue
			}
			fill(r, v.Field(i))
		}
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.Uint16:
		v.SetUint(uint64(r.IntN(1 << 16)))
	case reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.String:
		v.SetString(fmt.Sprintf("name-%d-é", r.IntN(1000)))
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(r.IntN(256)))
		}
	case reflect.Slice:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			if v.Type().Elem().Kind() == reflect.Uint8 {
				v.Index(i).SetUint(uint64(r.IntN(256)))
			} else {
				fill(r, v.Index(i))
			}
		}
	}
}

func TestEveryLayoutDecodesToWhatWasEncoded(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	count := 0
	for _, typ := range metadata.Types() {
		for layout, empty := range metadata.Layouts(typ) {
			if empty == nil || reflect.ValueOf(empty).IsNil() {
				continue
			}
			lowest, highest := metadata.VersionsOf(empty)
			for version := lowest; version <= highest; version++ {
				for range 20 {
					m := metadata.Layouts(typ)[layout]
					fill(r, reflect.ValueOf(m).Elem())
					rec := metadata.Record{Frame: 1, Version: version, Message: m}
					if layout == 2 {
						rec.Frame = 0
					}
					if roundTrip(t, rec) {
						count++
					}
				}
			}
		}
	}
	if count < 800 {
		t.Errorf("only %d records could be encoded", count)
	}
}

// roundTrip tells whether the record could be encoded: it cannot where a field is set that the version lacks.
func roundTrip(t *testing.T, rec metadata.Record) bool {
	t.Helper()
	value, err := rec.Append(nil)
	if err != nil {
		return false
	}
	back := metadata.Decode(value)
	if diff := cmp.Diff(rec, back, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("%s version %d (-encoded +decoded):\n%s", rec.Message.Type(), rec.Version, diff)
	}
	again, err := back.Append(nil)
	if err != nil || string(again) != string(value) {
		t.Errorf("%s version %d: encoded again as %x, want %x (%v)", rec.Message.Type(), rec.Version, again, value, err)
	}
	for _, redact := range []bool{false, true} {
		text := back.AppendJSON(nil, redact)
		if !json.Valid(text) || !bytes.Equal(text, rec.AppendJSON(nil, redact)) {
			t.Errorf("%s version %d prints %s", rec.Message.Type(), rec.Version, text)
		}
	}
	for cut := range value {
		short := metadata.Decode(value[:cut])
		if _, ok := short.Message.(*metadata.UnknownRecord); !ok && cut < len(value) {
			t.Errorf("%s: %d of %d bytes decode to %s", rec.Message.Type(), cut, len(value), short.Message.Type())
		}
	}
	return true
}
