package metadata

import (
	"io"
	"io/fs"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// Sizes of reading ahead: aheadPieces of a few hundred KiB, or of one large batch each, bound memory: one is filled
// while another is applied. Files below aheadLeast are not worth a goroutine.
const (
	aheadPieces = 2
	aheadLeast  = 1 << 20
	// aheadMost bounds the memory that a piece is given for what a batch only claims to take; Kafka's own batches have
	// 8 MiB at most (KafkaRaftClient.MAX_BATCH_SIZE_BYTES).
	aheadMost = 16 << 20
)

// aheadReader reads and checks batches in a goroutine while those before are applied. It is used as batch.Reader is;
// Err is that of the file, once Next has returned false. It is for one goroutine and must be closed.
type aheadReader struct {
	reader *batch.Reader
	file   io.Closer

	full, empty chan *aheadBatches // nil when nothing is read ahead
	quit, done  chan struct{}
	filling     *aheadBatches // what the goroutine reads into
	current     *aheadBatches
	next        int // of current
	batch       *batch.Batch
}

// aheadBatches is some batches that follow each other in the file, and the memory they lie in.
type aheadBatches struct {
	batches []batch.Batch
	memory  []byte
}

// openAhead opens a file for reading ahead.
func openAhead(fsys fs.FS, name string, opts batch.Options) (*aheadReader, error) {
	a := &aheadReader{}
	info, err := fs.Stat(fsys, name)
	ahead := err == nil && info.Size() >= aheadLeast // of unknown length it is read as it is applied
	if ahead {
		opts.Buffer = a.buffer
	}
	if a.reader, a.file, err = openBatches(fsys, name, opts); err != nil || !ahead {
		return a, err
	}
	a.full, a.empty = make(chan *aheadBatches, aheadPieces), make(chan *aheadBatches, aheadPieces)
	a.quit, a.done = make(chan struct{}), make(chan struct{})
	a.filling = &aheadBatches{}
	for range aheadPieces - 1 {
		a.empty <- &aheadBatches{}
	}
	go a.read()
	return a, nil
}

// read fills pieces until the file ends or the reader is closed.
func (a *aheadReader) read() {
	defer close(a.done)
	defer close(a.full)
	for a.reader.Next() {
		select {
		case <-a.quit:
			return
		default:
		}
		a.filling.batches = append(a.filling.batches, *a.reader.Batch())
	}
	a.full <- a.filling // there is room for every piece
}

// buffer hands over the batches read so far and gives memory for those to come.
func (a *aheadReader) buffer(wanted int) []byte {
	if len(a.filling.batches) > 0 {
		a.full <- a.filling
		select {
		case a.filling = <-a.empty:
		case <-a.quit:
			a.filling = &aheadBatches{}
		}
	}
	if wanted = min(wanted, aheadMost); cap(a.filling.memory) < wanted {
		a.filling.memory = make([]byte, wanted+wanted/16) // large batches are about as large as each other
	}
	return a.filling.memory
}

// Next moves to the next batch.
func (a *aheadReader) Next() bool {
	if a.full == nil {
		if !a.reader.Next() {
			return false
		}
		a.batch = a.reader.Batch()
		return true
	}
	for a.current == nil || a.next == len(a.current.batches) {
		if a.current != nil {
			a.current.batches = a.current.batches[:0]
			a.empty <- a.current
		}
		a.next = 0
		if a.current = <-a.full; a.current == nil {
			return false
		}
	}
	a.batch = &a.current.batches[a.next]
	a.next++
	return true
}

// Batch is the batch Next moved to, valid until the next call of Next.
func (a *aheadReader) Batch() *batch.Batch { return a.batch }

// Err is why Next returned false.
func (a *aheadReader) Err() error { return a.reader.Err() }

// Close ends reading and closes the file.
func (a *aheadReader) Close() error {
	if a.full != nil {
		close(a.quit)
		<-a.done
	}
	return a.file.Close() //nolint:wrapcheck // nothing was written
}
