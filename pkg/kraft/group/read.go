package group

import (
	"fmt"
	"io/fs"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
)

// maxProblems bounds what is kept of what was wrong with a partition.
const maxProblems = 1000

// Read replays the segments of one partition of __consumer_offsets. What was damaged or did not parse is in the
// problems, and was passed over.
func (s *Groups) Read(fsys fs.FS, segments []partition.Segment, limits batch.Limits) ([]logdir.Problem, error) {
	defer s.EndPartition()
	var wrong []logdir.Problem
	damaged, err := partition.Walk(fsys, segments, partition.Range{}, limits, func(e *partition.Entry) error {
		if err := s.Apply(e.Batch, e.Record); err != nil && len(wrong) < maxProblems {
			wrong = append(wrong, logdir.Problem{
				Path: e.Batch.File, Offset: e.Batch.Position,
				Message: logdir.EscapeText(fmt.Sprintf("record at offset %d: %v", e.Offset, err)),
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read committed offsets: %w", err)
	}
	return append(damaged, wrong...), nil
}
