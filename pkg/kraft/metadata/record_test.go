package metadata_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// oracle is testdata/records.txt, which Records.java wrote: values of Kafka 4.3.1's own serialisers, each with the JSON
// that Kafka's converters print for it, or with the error its deserialiser gives.
func oracle(t testing.TB) (values [][]byte, texts []string) {
	t.Helper()
	f, err := os.Open("testdata/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		digits, text, ok := strings.Cut(in.Text(), " ")
		value, err := hex.DecodeString(digits)
		if err != nil || !ok {
			t.Fatalf("line %q: %v", in.Text(), err)
		}
		values, texts = append(values, value), append(texts, text)
	}
	if len(values) < 200 {
		t.Fatalf("only %d recorded records", len(values))
	}
	return values, texts
}

func TestEveryRecordPrintsAsKafkaPrintsIt(t *testing.T) {
	t.Parallel()
	values, texts := oracle(t)
	var reused metadata.Decoder
	seen := map[metadata.Type]bool{}
	for i, value := range values {
		rec, again := metadata.Decode(value), reused.Decode(value)
		got := string(rec.AppendJSON(nil, false))
		if msg, ok := strings.CutPrefix(texts[i], "Error: "); ok {
			if text := metadata.KafkaError(&rec); text != "" && text != msg {
				t.Errorf("%x: error %q, Kafka says %q", value, text, msg)
			}
			continue
		}
		if got != texts[i] {
			t.Errorf("%x\n got %s\nwant %s", value, got, texts[i])
		}
		if second := string(again.AppendJSON(nil, false)); second != got {
			t.Errorf("%x: a reused decoder prints %s, a fresh one %s", value, second, got)
		}
		seen[rec.Message.Type()] = true
	}
	for _, typ := range metadata.Types() {
		switch typ {
		case metadata.TypeAccessControl, metadata.TypeRemoveFeatureLevel, metadata.TypeUnregisterController:
			continue // no released serialiser of 4.3 writes them
		}
		if !seen[typ] {
			t.Errorf("no recorded record of type %s", typ)
		}
	}
}

func TestEncodingGivesKafkasBytesBack(t *testing.T) {
	t.Parallel()
	values, _ := oracle(t)
	for _, value := range values {
		rec := metadata.Decode(value)
		got, err := rec.Append(nil)
		if err != nil {
			t.Errorf("%x: %v", value, err)
			continue
		}
		if strings.Contains(string(rec.AppendJSON(nil, false)), "\uFFFD") {
			continue
		}
		if !bytes.Equal(value, got) {
			t.Errorf("%x: written back as %x", value, got)
		}
	}
}
