package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// bufferSize is what a streaming Reader asks its source for at a time.
const bufferSize = 256 << 10

// Options set how a Reader walks.
type Options struct {
	// File names the source in errors.
	File string
	// Limits bound memory.
	Limits Limits
	// Resync makes the Reader go on behind damage at the next place where a whole batch with a right CRC and a
	// larger offset begins. What was skipped is in Gaps. Without it the Reader stops at the first bad batch, as
	// Kafka does when it recovers a log at start.
	Resync bool
	// FramesOnly leaves out the CRC: for finding offsets and sizes quickly where the content is checked elsewhere.
	FramesOnly bool
	// Buffer, when set, gives a Reader over a stream memory each time it reads on, of as many bytes as it wants: a few
	// hundred KiB, or what the next batch claims to take. Where it gives less the Reader grows memory of its own with
	// what was really read. The memory of before is left as it is, so that the batches in it stay valid until Buffer
	// gives it out again. Without it the Reader has one buffer of its own.
	Buffer func(wanted int) []byte
}

// Gap is a stretch of a file that Resync skipped.
type Gap struct {
	// From and To are byte offsets, To exclusive.
	From, To int64
	// Err says what was wrong at From.
	Err *Error
}

// Reader walks the batches of one file, in the manner of bufio.Scanner:
//
//	r := batch.NewBytesReader(data, batch.Options{File: name})
//	for r.Next() {
//		b := r.Batch()
//	}
//	if err := r.Err(); err != nil { … }
//
// A Reader is for one goroutine. Over a byte slice nothing is copied; over a stream it holds one buffer of a few
// hundred KiB, or of the largest batch when that is more.
type Reader struct {
	opts Options

	src    io.Reader // nil over a byte slice
	buf    []byte    // what is in memory, starting at file position base
	off    int       // where in buf the next batch starts
	base   int64     // file position of buf[0]
	size   int64     // of the source, -1 when unknown
	srcErr error     // why src yields no more; io.EOF at its end

	batch  Batch
	err    *Error
	done   bool
	good   int64 // bytes from the start that are sound without a gap
	last   int64 // offset of the last record of the last batch
	any    bool  // a batch was yielded
	gaps   []Gap
	budget int64 // bytes that looking for the next batch may still checksum
}

// NewBytesReader walks data without copying. The batches alias data, which must not change meanwhile.
func NewBytesReader(data []byte, opts Options) *Reader {
	opts.Limits = opts.Limits.withDefaults()
	return &Reader{opts: opts, buf: data, size: int64(len(data)), srcErr: io.EOF, budget: resyncBudget(int64(len(data)))}
}

// NewReader walks the first size bytes of src, which is read once, forward, in large pieces.
func NewReader(src io.ReaderAt, size int64, opts Options) *Reader {
	return NewStreamReader(io.NewSectionReader(src, 0, size), size, opts)
}

// NewStreamReader walks src, which holds size bytes; a size of -1 means unknown. Knowing the size lets a length field
// that runs past the end be recognised before anything is read for it.
func NewStreamReader(src io.Reader, size int64, opts Options) *Reader {
	opts.Limits = opts.Limits.withDefaults()
	return &Reader{opts: opts, src: src, size: size, budget: resyncBudget(size)}
}

// Next moves to the next batch. It returns false at the end of the source and, unless Resync is set, at the first
// batch that is not sound; Err tells which.
func (r *Reader) Next() bool {
	if r.done {
		return false
	}
	for {
		r.discard()
		e := r.parse()
		if e == nil {
			return !r.done
		}
		if !r.opts.Resync || e.Kind == ReadFailed {
			return r.stop(e)
		}
		if !r.resync(e) {
			return false
		}
	}
}

// Batch is the batch Next moved to. It is reused by Next; its bytes stay valid over a byte slice only.
func (r *Reader) Batch() *Batch { return &r.batch }

// Err is why Next returned false: nil at a clean end, else an *Error.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// Good is how many bytes from the start are sound without a gap: what Kafka keeps of the file when it recovers it.
func (r *Reader) Good() int64 { return r.good }

// Gaps are the stretches that Resync skipped, at most 1000 of them; the last one then reaches to the end of the walk.
func (r *Reader) Gaps() []Gap { return r.gaps }

// Incomplete tells whether anything before the present position was skipped or could not be read.
func (r *Reader) Incomplete() bool { return len(r.gaps) > 0 || r.err != nil }

func (r *Reader) stop(e *Error) bool {
	r.err, r.done = e, true
	return false
}

// discard forgets the current batch.
func (r *Reader) discard() {
	r.off += len(r.batch.raw)
	r.batch.raw = nil
}

func (r *Reader) position() int64 { return r.base + int64(r.off) }

// window returns the next n bytes, fewer only when the source has no more.
func (r *Reader) window(n int) []byte {
	if len(r.buf)-r.off < n && r.srcErr == nil {
		r.fill(n)
	}
	return r.buf[r.off:min(len(r.buf), r.off+n)]
}

// fill reads until n bytes are in memory, and little more than that, for what is read too much is copied. The buffer
// grows with what was really read, never by what a length claims.
func (r *Reader) fill(n int) {
	enough := max(n, bufferSize)
	rest := r.buf[r.off:]
	if r.opts.Buffer != nil {
		r.buf = append(r.opts.Buffer(enough)[:0], rest...)
	} else {
		r.buf = append(r.buf[:0], rest...)
	}
	r.base += int64(r.off)
	r.off = 0
	for empty := 0; len(r.buf) < n && r.srcErr == nil; {
		if len(r.buf) == cap(r.buf) {
			grown := make([]byte, len(r.buf), max(bufferSize, 2*len(r.buf)))
			copy(grown, r.buf)
			r.buf = grown
		}
		got, err := r.src.Read(r.buf[len(r.buf):min(cap(r.buf), enough)])
		r.buf = r.buf[:len(r.buf)+got]
		r.srcErr = err
		if empty++; got > 0 {
			empty = 0
		}
		if empty > 100 && err == nil {
			r.srcErr = io.ErrNoProgress
		}
	}
}

// remaining is how many bytes are left; exact when the size is known or the source is exhausted.
func (r *Reader) remaining() int64 {
	if r.size >= 0 && r.srcErr == nil {
		return r.size - r.position()
	}
	if r.srcErr != nil {
		return int64(len(r.buf) - r.off)
	}
	return 1<<63 - 1
}

// parse reads the batch at the present position. It follows FileLogInputStream.nextBatch and
// DefaultRecordBatch.ensureValid. At the clean end it sets done and returns nil.
func (r *Reader) parse() *Error {
	prefix := r.window(prefixSize + 1)
	if e := r.readFailure(); e != nil && len(prefix) <= prefixSize {
		return e
	}
	if len(prefix) == 0 {
		r.done = true
		return nil
	}
	if len(prefix) <= prefixSize { // Kafka stops here without a word: position >= end - HEADER_SIZE_UP_TO_MAGIC
		if allZero(prefix) {
			return r.fail(Zeros, "a record batch or the end of the file", fmt.Sprintf("%d zero bytes", len(prefix)))
		}
		return r.fail(Torn, "a batch of at least 61 bytes", fmt.Sprintf("%d bytes before the end", len(prefix)))
	}
	length := int64(int32(binary.BigEndian.Uint32(prefix[lengthOffset:])))
	if length < minLegacySize {
		return r.shortLength(length)
	}
	total := length + frameSize
	if total > r.remaining() {
		return r.fail(Torn, fmt.Sprintf("a batch of %d bytes", total), fmt.Sprintf("%d bytes before the end", r.remaining()))
	}
	if total > int64(r.opts.Limits.BatchBytes) {
		return r.fail(OverLimit, fmt.Sprintf("a batch of at most %d bytes", r.opts.Limits.BatchBytes),
			fmt.Sprintf("one of %d bytes", total))
	}
	raw := r.window(int(total))
	if int64(len(raw)) < total {
		if e := r.readFailure(); e != nil {
			return e
		}
		return r.fail(Torn, fmt.Sprintf("a batch of %d bytes", total), fmt.Sprintf("%d bytes before the end", len(raw)))
	}
	return r.accept(raw[:total:total])
}

// accept checks a batch whose bytes are all there.
func (r *Reader) accept(raw []byte) *Error {
	if magic := int8(raw[magicOffset]); magic < Magic {
		return r.legacy(magic)
	}
	if len(raw) < HeaderSize {
		return r.fail(BadLength, "a batch of at least 61 bytes", fmt.Sprintf("a length field for %d bytes", len(raw)))
	}
	if !r.opts.FramesOnly {
		stored, computed := binary.BigEndian.Uint32(raw[crcOffset:]), checksum(raw)
		if stored != computed {
			return r.fail(BadCRC, fmt.Sprintf("CRC %d as stored", stored), fmt.Sprintf("CRC %d as computed", computed))
		}
	}
	r.batch.decode(raw)
	r.batch.raw = raw
	r.batch.Position = r.position()
	r.batch.File = r.opts.File
	r.last, r.any = r.batch.LastOffset(), true
	if len(r.gaps) == 0 {
		r.good = r.batch.Position + int64(len(raw))
	}
	return nil
}

func (r *Reader) legacy(magic int8) *Error {
	if magic < 0 {
		return r.fail(BadMagic, "message format 2", fmt.Sprintf("message format %d, which does not exist", magic))
	}
	return r.fail(Legacy, "message format 2 (Kafka 0.11 and later)",
		fmt.Sprintf("message format %d, which Kafka 0.10 and older wrote; this reader does not decode it", magic))
}

// shortLength tells zero padding from damage.
func (r *Reader) shortLength(length int64) *Error {
	zeros := r.fail(Zeros, "a record batch or the end of the file", "zero bytes up to the end of the file")
	zeros.BaseOffset = -1
	damage := r.fail(BadLength, "a length of at least 14 bytes", fmt.Sprintf("a length of %d", length))
	if length == 0 && r.restIsZero() {
		return zeros
	}
	return damage
}

// restIsZero tells whether the source holds only zero bytes from here on. Over a stream it moves on over zero bytes,
// but for the last few, which may be the start of a batch: the position then has changed even when it returns false.
func (r *Reader) restIsZero() bool {
	for allZero(r.window(bufferSize)) {
		if r.srcErr != nil {
			return allZero(r.buf[r.off:])
		}
		r.off = len(r.buf) - prefixSize
	}
	return false
}

func allZero(p []byte) bool {
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p) != 0 {
			return false
		}
		p = p[8:]
	}
	for _, c := range p {
		if c != 0 {
			return false
		}
	}
	return true
}

// readFailure returns the source's error when it has one.
func (r *Reader) readFailure() *Error {
	if r.srcErr == nil || errors.Is(r.srcErr, io.EOF) {
		return nil
	}
	e := r.fail(ReadFailed, "more bytes", "a read error")
	e.Err = r.srcErr
	return e
}

// fail builds the error for the present position.
func (r *Reader) fail(kind Kind, expected, found string) *Error {
	e := &Error{
		Kind: kind, File: r.opts.File, Position: r.position(), BaseOffset: -1, Record: -1,
		Expected: expected, Found: found, Good: r.good,
	}
	if len(r.buf)-r.off >= frameSize {
		e.BaseOffset = int64(binary.BigEndian.Uint64(r.buf[r.off:]))
	}
	return e
}
