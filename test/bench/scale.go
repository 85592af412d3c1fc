package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// floorArg makes the program read a file once as fast as it can, and end.
const floorArg = "floor"

// walkFloor is what no reader of a metadata log can do without: reading, CRC, and the frames of batches and records.
func walkFloor(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open the snapshot: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("stat the snapshot: %w", err)
	}
	reader, decoder := batch.NewReader(f, info.Size(), batch.Options{File: name}), batch.NewDecoder(batch.Limits{})
	for reader.Next() {
		records, err := decoder.Records(reader.Batch())
		if err != nil {
			return err
		}
		for records.Next() {
			_ = records.Record()
		}
		if err := records.Err(); err != nil {
			return err
		}
	}
	return reader.Err()
}

// scaled is what commands cost on a snapshot of one size.
type scaled struct {
	partitions              int
	bytes                   int64
	floor, records, listing []sample
}

// sizes are the topics of the snapshots: 10⁴ to 10⁷ partitions.
func sizes() []int { return []int{500, 5_000, 50_000, 500_000} }

// scale measures how cost grows with size, all commands in turn.
func (g *ground) scale(ctx context.Context, o options) ([]scaled, error) {
	if !strings.Contains("size", o.only) {
		return nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	var out []scaled
	for _, topics := range sizes() {
		snapshot, err := g.snapshotOf(ctx, topics)
		if err != nil {
			return out, err
		}
		info, err := os.Stat(snapshot)
		if err != nil {
			return out, fmt.Errorf("stat the snapshot: %w", err)
		}
		s := scaled{partitions: topics * partitionsPerTopic, bytes: info.Size()}
		fmt.Fprintf(g.log, "cost of %d partitions\n", s.partitions)
		acts := []struct {
			into *[]sample
			act
		}{
			{&s.floor, command(nil, self, floorArg, snapshot)},
			{&s.records, command(nil, g.tool, "metadata", "records", "-o", "kafka", snapshot)},
			{&s.listing, command(nil, g.tool, "metadata", "ls", "--dir", snapshot, "image/topics/byName")},
		}
		for round := range o.rounds + 1 {
			for _, a := range acts {
				got, err := a.act(ctx)
				if err != nil {
					return out, errors.Join(fmt.Errorf("measure %d partitions", s.partitions), err)
				}
				if round > 0 { // the first brings the file into memory
					*a.into = append(*a.into, got)
				}
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// scalePage is the part of the page about size.
func scalePage(sizes []scaled) string {
	if len(sizes) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(`
## Cost by size

Snapshots of the same shape, each command in a process of its own. The floor is what no reader can do without: reading
the file, its CRCs, and the frames of batches and records, in one goroutine. Its share is the floor's time divided by
the command's; both commands use a second CPU where there is one. ` + "`records` and `ls`" + ` are the commands for a
million partitions above. ` + "`records`" + ` streams, with a bounded number of pieces ahead: its memory grows until
those are full, and no further; ` + "`ls`" + ` builds an image of the whole cluster. What each partition costs falls
until the start of a process no longer counts.

| partitions | file | floor | records | each | of floor | memory | ls | each | of floor | memory |
|---|---|---|---|---|---|---|---|---|---|---|
`)
	for _, s := range sizes {
		fmt.Fprintf(&b, "| %d | %s | %s |", s.partitions, mib(s.bytes), round(walls(s.floor).median))
		for _, samples := range [][]sample{s.records, s.listing} {
			w := walls(samples)
			fmt.Fprintf(&b, " %s (%s–%s) | %s | %.0f %% | %s |", round(w.median), round(w.least), round(w.most),
				w.median/time.Duration(s.partitions), 100*walls(s.floor).median.Seconds()/w.median.Seconds(),
				mib(memories(samples).median))
		}
		b.WriteString("\n")
	}
	return b.String()
}
