package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxZstdWindow is the largest window that zstd frames may ask for: zstd's own default for a decoder (windowLog 27).
const maxZstdWindow = 128 << 20

// Decoder turns batches into records. It keeps decompressors and their buffers from one batch to the next, so it is
// for one goroutine; the zero value is not usable, see NewDecoder.
type Decoder struct {
	limits  Limits
	records Records
	buf     []byte
	in      bytes.Reader
	gzip    *gzip.Reader
	lz4     *lz4.Reader
	zstd    *zstd.Decoder
}

// NewDecoder returns a Decoder that refuses what is over the limits.
func NewDecoder(limits Limits) *Decoder {
	return &Decoder{limits: limits.withDefaults()}
}

// Records returns an iterator over the batch's records, decompressed. The iterator and the records of a compressed
// batch are valid until the next call; those of an uncompressed batch share memory with it.
func (d *Decoder) Records(b *Batch) (*Records, error) {
	if b.Magic != Magic {
		return nil, recordError(b, -1, BadMagic, "message format 2", fmt.Sprintf("message format %d", b.Magic))
	}
	if b.RecordCount < 0 {
		return nil, recordError(b, -1, BadRecord, "a record count", fmt.Sprintf("%d", b.RecordCount))
	}
	if int(b.RecordCount) > d.limits.Records {
		return nil, recordError(b, -1, OverLimit, fmt.Sprintf("at most %d records", d.limits.Records),
			fmt.Sprintf("a batch that claims %d", b.RecordCount))
	}
	data, err := d.Decompress(b)
	if err != nil {
		return nil, err
	}
	headers := d.records.rec.Headers[:0]
	d.records = Records{batch: b, data: data, count: int(b.RecordCount), rec: Record{Headers: headers}}
	return &d.records, nil
}

// Records is for single batches: it makes a Decoder with the default limits.
func (b *Batch) Records() (*Records, error) { return NewDecoder(Limits{}).Records(b) }

var errTooLarge = errors.New("more decompressed bytes than the limit")

// Decompress returns the batch's records as one block. It is valid until the next call, or shares memory with an
// uncompressed batch.
func (d *Decoder) Decompress(b *Batch) ([]byte, error) {
	payload := b.Payload()
	codec := b.Codec()
	if codec == None {
		return payload, nil
	}
	var err error
	d.buf = d.buf[:0]
	switch codec {
	case Gzip:
		err = d.gunzip(payload)
	case Snappy:
		err = d.unsnappy(payload)
	case LZ4:
		err = d.unlz4(payload)
	case Zstd:
		err = d.unzstd(payload)
	default:
		return nil, recordError(b, -1, BadCompression, "compression type 0 to 4", fmt.Sprintf("%d", codec))
	}
	if err != nil {
		kind := BadCompression
		if errors.Is(err, errTooLarge) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
			kind = OverLimit
		}
		e := recordError(b, -1, kind, fmt.Sprintf("records compressed with %s", codec), "what does not decompress")
		if kind == OverLimit {
			e.Expected = fmt.Sprintf("at most %d bytes of records", d.limits.DecompressedBytes)
			e.Found = "a batch that decompresses to more"
		}
		e.Err = err
		return nil, e
	}
	return d.buf, nil
}

// readAll appends everything from r to buf, doubling it as data really arrives.
func (d *Decoder) readAll(r io.Reader) error {
	for {
		if len(d.buf) == cap(d.buf) {
			grown := make([]byte, len(d.buf), max(16<<10, 2*cap(d.buf)))
			copy(grown, d.buf)
			d.buf = grown
		}
		n, err := r.Read(d.buf[len(d.buf):cap(d.buf)])
		d.buf = d.buf[:len(d.buf)+n]
		if len(d.buf) > d.limits.DecompressedBytes {
			return errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (d *Decoder) gunzip(payload []byte) error {
	d.in.Reset(payload)
	var err error
	if d.gzip == nil {
		d.gzip, err = gzip.NewReader(&d.in)
	} else {
		err = d.gzip.Reset(&d.in)
	}
	if err != nil {
		d.gzip = nil
		return err
	}
	return d.readAll(d.gzip)
}

func (d *Decoder) unlz4(payload []byte) error {
	d.in.Reset(payload)
	if d.lz4 == nil {
		d.lz4 = lz4.NewReader(&d.in)
	} else {
		d.lz4.Reset(&d.in)
	}
	return d.readAll(d.lz4)
}

func (d *Decoder) unzstd(payload []byte) error {
	d.in.Reset(payload)
	var err error
	if d.zstd == nil {
		// One at a time and in this goroutine: Kafka's batches are small, and nothing is left running.
		d.zstd, err = zstd.NewReader(&d.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow))
	} else {
		err = d.zstd.Reset(&d.in)
	}
	if err != nil {
		return err
	}
	return d.readAll(d.zstd)
}

// xerialMagic begins what snappy-java's SnappyOutputStream writes: magic, version 1, compatible from version 1, then
// blocks, each after its length.
const (
	xerialMagic      = "\x82SNAPPY\x00"
	xerialHeaderSize = len(xerialMagic) + 8
	xerialBlockSize  = 32 << 10
)

func (d *Decoder) unsnappy(payload []byte) error {
	if !bytes.HasPrefix(payload, []byte(xerialMagic)) {
		return d.unsnappyBlock(payload) // clients that write one raw block; SnappyInputStream accepts it too
	}
	for len(payload) > 0 {
		if bytes.HasPrefix(payload, []byte(xerialMagic)) { // at the start, and where streams were joined
			if len(payload) < xerialHeaderSize {
				return io.ErrUnexpectedEOF
			}
			if v := binary.BigEndian.Uint32(payload[len(xerialMagic):]); v < 1 {
				return fmt.Errorf("snappy framing of version %d", v)
			}
			payload = payload[xerialHeaderSize:]
			continue
		}
		if len(payload) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(payload)
		payload = payload[4:]
		if uint64(n) > uint64(len(payload)) {
			return io.ErrUnexpectedEOF
		}
		if err := d.unsnappyBlock(payload[:n]); err != nil {
			return err
		}
		payload = payload[n:]
	}
	return nil
}

// unsnappyBlock appends one decoded block. A snappy block cannot grow by more than 64/3, so a claimed length beyond
// that is refused before memory is taken for it.
func (d *Decoder) unsnappyBlock(block []byte) error {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return err
	}
	if n > d.limits.DecompressedBytes-len(d.buf) {
		return errTooLarge
	}
	if n > 22*len(block)+64 {
		return fmt.Errorf("a block of %d bytes that claims to decompress to %d", len(block), n)
	}
	start := len(d.buf)
	if cap(d.buf)-start < n {
		grown := make([]byte, start, max(2*cap(d.buf), start+n))
		copy(grown, d.buf)
		d.buf = grown
	}
	out, err := snappy.Decode(d.buf[start:start+n], block)
	if err != nil {
		return err
	}
	d.buf = d.buf[:start+len(out)]
	return nil
}
