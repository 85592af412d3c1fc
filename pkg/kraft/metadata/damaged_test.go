package metadata_test

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// versionByte is where a record of a type below 128 has its version, behind the frame and the type.
const versionByte = 2

// testdata/damaged.txt is what Kafka 4.3.1's own classes made of the records of a log of less than 4 KiB with every bit
// flipped and cut off at every length, behind a right CRC (testdata/Damage.java). What is printed here must be what
// Kafka prints, or the record must be told as one that does not decode; where Kafka fails this must fail too.
func TestDamagedRecordsPrintAsKafkaPrintsThem(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/damaged.txt")
	if err != nil {
		t.Fatal(err)
	}
	bytes, same, unknown, stricter, historic := 0, 0, 0, 0, 0
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		value, err := hex.DecodeString(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		answers := fields[1:]
		if len(answers) != 9*len(value) {
			t.Fatalf("%s has %d answers", fields[0], len(answers))
		}
		bytes += len(value)
		for i, want := range answers {
			damaged := append([]byte(nil), value...)
			if bit := i; bit < 8*len(value) {
				damaged[bit/8] ^= 1 << (bit % 8)
			} else {
				damaged = damaged[:i-8*len(value)]
			}
			switch got := answerOf(damaged); {
			case got == want:
				same++
			case got == "!" && i/8 == versionByte:
				unknown++ // a version that does not exist, which Kafka reads as the newest
			case got == "!":
				stricter++ // in or around a known tagged field, whose size Kafka does not look at
			case want == "!" && isHistoric(damaged):
				historic++ // a layout that Kafka reads no more, and this does
			default:
				t.Errorf("%x: this says %s, Kafka %s", damaged, got, want)
			}
		}
	}
	t.Logf("%d bytes of records: %d answers as Kafka's, %d versions that do not exist, %d other errors where Kafka "+
		"reads on, %d of layouts it reads no more", bytes, same, unknown, stricter, historic)
	if bytes < 1000 || stricter*50 > same || historic > 10 {
		t.Errorf("%d bytes of records; of %d damaged records %d are refused that Kafka reads, %d read that it refuses", bytes,
			same+unknown+stricter+historic, stricter, historic)
	}
}

// isHistoric tells whether a record was read in a layout of Kafka 2.8 or 3.2.
func isHistoric(value []byte) bool {
	name := fmt.Sprintf("%T", metadata.Decode(value).Message)
	return strings.HasSuffix(name, "V28") || strings.HasSuffix(name, "V32")
}

func answerOf(value []byte) string {
	rec := metadata.Decode(value)
	if _, unknown := rec.Message.(*metadata.UnknownRecord); unknown {
		return "!"
	}
	text := rec.AppendJSON(nil, false)
	return strconv.FormatUint(uint64(crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli))), 16)
}
