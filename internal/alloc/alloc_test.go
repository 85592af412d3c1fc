package alloc_test

import (
	"testing"

	"github.com/kafkarecover/kafkarecover/internal/alloc"
)

func TestWhatIsAllocatedIsCounted(t *testing.T) {
	const size = 1 << 20
	var kept []byte
	if got := alloc.Bytes(func() { kept = make([]byte, size) }); got < size || len(kept) != size {
		t.Errorf("%d bytes counted of %d", got, size)
	}
	if got := alloc.Bytes(func() {}); got > size/2 {
		t.Errorf("%d bytes counted of nothing", got)
	}
}
