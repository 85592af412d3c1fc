package metadata

import (
	"io"
	"io/fs"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// Sizes of reading ahead: batches are handed over in pieces of aheadPiece bytes or one batch, aheadPieces at a time,
// which bounds memory. Files below aheadLeast are not worth a goroutine.
const (
	aheadPiece  = 256 << 10
	aheadPieces = 3
	aheadLeast  = 1 << 20
)

// aheadReader reads and checks batches in a goroutine while those before are applied. It is used as batch.Reader is;
// Err is that of the file, once Next has returned false. It is for one goroutine and must be closed.
type aheadReader struct {
	reader *batch.Reader
	file   io.Closer
	opts   batch.Options

	full, empty chan *aheadBatches // nil when nothing is read ahead
	quit, done  chan struct{}
	current     *aheadBatches
	frames      *batch.Reader // over current
	batch       *batch.Batch
}

// aheadBatches is a copy of some batches that follow each other in the file.
type aheadBatches struct {
	raw      []byte
	position int64
}

// openAhead opens a file for reading ahead.
func openAhead(fsys fs.FS, name string, opts batch.Options) (*aheadReader, error) {
	reader, file, err := openBatches(fsys, name, opts)
	if err != nil {
		return nil, err
	}
	a := &aheadReader{reader: reader, file: file, opts: batch.Options{File: name, Limits: opts.Limits, FramesOnly: true}}
	info, err := fs.Stat(fsys, name)
	if long := err == nil && info.Size() >= aheadLeast; !long {
		return a, nil //nolint:nilerr // of unknown length it is read as it is applied
	}
	a.full, a.empty = make(chan *aheadBatches, aheadPieces), make(chan *aheadBatches, aheadPieces)
	a.quit, a.done = make(chan struct{}), make(chan struct{})
	for range aheadPieces {
		a.empty <- &aheadBatches{}
	}
	go a.read()
	return a, nil
}

// read fills pieces until the file ends or the reader is closed.
func (a *aheadReader) read() {
	defer close(a.done)
	defer close(a.full)
	var piece *aheadBatches
	for a.reader.Next() {
		b := a.reader.Batch()
		if piece == nil {
			select {
			case piece = <-a.empty:
			case <-a.quit:
				return
			}
			piece.raw, piece.position = piece.raw[:0], b.Position
		}
		piece.raw = append(piece.raw, b.Bytes()...)
		if len(piece.raw) >= aheadPiece {
			a.full <- piece // there is room for every piece
			piece = nil
		}
	}
	if piece != nil {
		a.full <- piece
	}
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
	for a.frames == nil || !a.frames.Next() {
		if a.current != nil {
			a.empty <- a.current
		}
		piece, ok := <-a.full
		if a.current = piece; !ok {
			a.frames = nil
			return false
		}
		a.frames = batch.NewBytesReader(piece.raw, a.opts)
	}
	a.batch = a.frames.Batch()
	a.batch.Position += a.current.position
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
