package metadata

import (
	"cmp"
	"io"
	"slices"
	"sync"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// Sizes of the dump's pipeline: pieces are cut when their batches reach dumpPiece bytes, dumpWorkers format them at the
// same time, and at most dumpAhead are under way, which bounds memory.
const (
	dumpPiece   = 256 << 10
	dumpWorkers = 2
	dumpAhead   = 2
	// textPerByte is about how much longer the text is than the batches: room for it is made at once, since growing a
	// text of many MiB bit by bit costs as much as writing it.
	textPerByte = 4
)

// piece is some batches on their way through the pipeline; done tells when text is complete.
type piece struct {
	raw      []byte
	position int64 // of raw in the file
	text     []byte
	done     chan struct{}
}

// dumpPipe formats batches in several goroutines and writes the text in order. It is for one goroutine.
type dumpPipe struct {
	w       io.Writer
	file    string
	work    chan *piece
	group   sync.WaitGroup
	workers []*dumper
	ahead   []*piece // handed out, oldest first
	free    []*piece
	current *piece
	err     error
}

func newDumpPipe(w io.Writer, file string, opts *DumpOptions) *dumpPipe {
	p := &dumpPipe{w: w, file: file, work: make(chan *piece, dumpAhead)}
	for range dumpWorkers {
		d := newDumper(opts)
		p.workers = append(p.workers, d)
		p.group.Go(func() {
			for piece := range p.work {
				d.piece(piece, file)
				piece.done <- struct{}{}
			}
		})
	}
	return p
}

// piece formats the batches of one piece.
func (d *dumper) piece(p *piece, file string) {
	p.text = slices.Grow(p.text, textPerByte*len(p.raw))
	r := batch.NewBytesReader(p.raw, batch.Options{File: file, FramesOnly: true, Limits: d.opts.Limits})
	for r.Next() {
		b := r.Batch()
		b.Position += p.position
		p.text = d.batch(p.text, b)
	}
}

func (p *dumpPipe) failed() bool { return p.err != nil }

func (p *dumpPipe) write(text []byte) {
	if p.err == nil {
		_, p.err = p.w.Write(text)
	}
}

// add takes a copy of the batch.
func (p *dumpPipe) add(b *batch.Batch) {
	if p.current == nil {
		p.current = p.empty()
		p.current.position = b.Position
	}
	p.current.raw = append(p.current.raw, b.Bytes()...)
	if len(p.current.raw) >= dumpPiece {
		p.send()
	}
}

func (p *dumpPipe) empty() *piece {
	if n := len(p.free); n > 0 {
		e := p.free[n-1]
		p.free = p.free[:n-1]
		e.raw, e.text = e.raw[:0], e.text[:0]
		return e
	}
	return &piece{done: make(chan struct{}, 1)}
}

func (p *dumpPipe) send() {
	if len(p.ahead) == dumpAhead {
		p.oldest()
	}
	p.work <- p.current
	p.ahead = append(p.ahead, p.current)
	p.current = nil
}

// oldest waits for the piece handed out first and writes it.
func (p *dumpPipe) oldest() {
	e := p.ahead[0]
	p.ahead = append(p.ahead[:0], p.ahead[1:]...)
	<-e.done
	p.write(e.text)
	p.free = append(p.free, e)
}

// finish writes what is under way and ends the workers.
func (p *dumpPipe) finish() (DumpResult, error) {
	if p.current != nil && p.err == nil {
		p.send()
	}
	for len(p.ahead) > 0 {
		p.oldest()
	}
	close(p.work)
	p.group.Wait()
	var total DumpResult
	for _, d := range p.workers {
		total.Batches += d.result.Batches
		total.Records += d.result.Records
		total.More += d.result.More
		for _, problem := range d.result.Problems {
			total.add(problem)
		}
	}
	slices.SortFunc(total.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Offset, b.Offset))
	})
	return total, p.err
}
