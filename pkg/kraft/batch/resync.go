package batch

import (
	"bytes"
	"encoding/binary"
)

// maxGaps bounds what a hostile file can make Gaps hold.
const maxGaps = 1000

// resyncBudget bounds the bytes that looking for a batch may checksum, so that a file made of headers that all claim
// to be long batches costs a fixed multiple of its size.
func resyncBudget(size int64) int64 {
	const floor = 64 << 20
	if size < 0 {
		return 16 * floor
	}
	return 4*size + floor
}

// resync goes to the next place where a batch is sound and records the gap. It returns false when there is none.
//
// The place that the damaged batch's own length points to is tried first: a record's value may itself hold batches
// (a mirrored or backed-up segment), and those must not be taken for the file's.
func (r *Reader) resync(e *Error) bool {
	from := e.Position
	found := false
	if e.Kind != Zeros && len(r.gaps) < maxGaps-1 {
		found = r.jump(e) || r.search()
	}
	if !found {
		r.drain()
	}
	r.gaps = append(r.gaps, Gap{From: from, To: r.position(), Err: e})
	r.done = !found
	return found
}

// jump skips by the damaged batch's length, when that leads to a sound batch or exactly to the end.
func (r *Reader) jump(e *Error) bool {
	if e.Kind != BadCRC && e.Kind != Legacy && e.Kind != BadMagic {
		return false
	}
	total := int(int32(binary.BigEndian.Uint32(r.buf[r.off+lengthOffset:]))) + frameSize
	ahead := r.window(total + HeaderSize)
	if len(ahead) == total {
		r.off += total
		return true // parse sees the clean end
	}
	if len(ahead) < total+HeaderSize || !r.plausible(ahead[total:]) {
		return false
	}
	r.off += total
	if r.sound() {
		return true
	}
	r.off -= total
	return false
}

// search tries every byte after the present one.
func (r *Reader) search() bool {
	r.off++
	for {
		ahead := r.window(bufferSize)
		if len(ahead) < HeaderSize {
			return false
		}
		// Only where a whole header is in the window; what is left over is looked at with the next one.
		last := len(ahead) - HeaderSize
		i := bytes.IndexByte(ahead[magicOffset:magicOffset+last+1], Magic)
		if i < 0 {
			r.off += last + 1
			continue
		}
		r.off += i
		if r.plausible(ahead[i:]) && r.sound() {
			return true
		}
		r.off++
	}
}

// plausible tells whether a header could be that of the file's next batch. It holds at least HeaderSize bytes.
func (r *Reader) plausible(raw []byte) bool {
	if raw[magicOffset] != Magic {
		return false
	}
	length := int64(int32(binary.BigEndian.Uint32(raw[lengthOffset:])))
	if length < HeaderSize-frameSize || length+frameSize > int64(r.opts.Limits.BatchBytes) {
		return false
	}
	var h Header
	h.decode(raw)
	const unused = ^(codecMask | LogAppendTime | Transactional | Control | HasDeleteHorizon)
	if h.Attributes&unused != 0 || h.LastOffsetDelta < 0 || h.RecordCount < 0 {
		return false
	}
	if int64(h.RecordCount) > int64(h.LastOffsetDelta)+1 {
		return false
	}
	return h.BaseOffset >= 0 && (!r.any || h.BaseOffset > r.last)
}

// sound checks the CRC of the plausible batch at the present position.
func (r *Reader) sound() bool {
	raw := r.window(HeaderSize)
	total := int64(binary.BigEndian.Uint32(raw[lengthOffset:])) + frameSize
	if total > r.remaining() || total > r.budget {
		return false
	}
	r.budget -= total
	raw = r.window(int(total))
	return int64(len(raw)) == total && binary.BigEndian.Uint32(raw[crcOffset:]) == checksum(raw)
}

// drain goes to the end of the source.
func (r *Reader) drain() {
	for {
		r.off = len(r.buf)
		if r.srcErr != nil {
			return
		}
		r.fill(bufferSize)
	}
}
