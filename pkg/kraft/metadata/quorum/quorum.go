// Package quorum judges copies of one metadata log against each other, offline: who the voters are, which copy is the
// newest, what is proven to be committed, who could be elected and what would be lost. It knows what package logdir
// read from the volumes and nothing else; the rules are Raft's as Kafka's KafkaRaftClient applies them.
package quorum

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// Copy is one copy of the metadata log, of a voter or an observer.
type Copy struct {
	// Name says where it is: the volume and log directory.
	Name        string `json:"name"`
	ClusterID   string `json:"clusterId,omitempty"`
	NodeID      *int32 `json:"nodeId,omitempty"`
	DirectoryID string `json:"directoryId,omitempty"`
	Role        Role   `json:"role"`
	RoleReason  string `json:"roleReason,omitempty"`
	// End is the log end after Kafka's own recovery; a lower bound when EndKnown is false.
	End      logdir.OffsetAndEpoch `json:"end"`
	EndKnown bool                  `json:"endKnown"`
	Empty    bool                  `json:"empty"`
	// SnapshotEnd is the end of the newest sound snapshot: everything before it is committed.
	SnapshotEnd int64 `json:"snapshotEnd"`
	// LastTimestamp is the newest append time in milliseconds since 1970, -1 for none.
	LastTimestamp int64 `json:"lastTimestamp"`
	// LeaderID and LeaderEpoch are those of quorum-state; -1 when there is none.
	LeaderID    int32 `json:"leaderId"`
	LeaderEpoch int32 `json:"leaderEpoch"`
	// Votes is how many of the voters read would vote for it; Electable tells whether that is a majority.
	Votes     int  `json:"votes"`
	Electable bool `json:"electable"`
	// Behind is how many offsets its end lies behind the newest copy's; it may be wrong across epochs, where the shorter
	// log can be the newer one.
	Behind int64 `json:"behind"`
	// MayTruncate tells that its log holds offsets that the newest copy has not, or of an older epoch: they are cut off.
	MayTruncate bool `json:"mayTruncate,omitempty"`

	voters       *logdir.VoterSet
	leaderVoters []int32
	kraftVersion int16
}

// Role is what a copy counts for.
type Role string

// The roles. RoleUnknown is a copy whose node ID, or for dynamic voters directory ID, is not known.
const (
	Voter       Role = "voter"
	Observer    Role = "observer"
	RoleUnknown Role = "unknown"
)

// Quorum is the judgement.
type Quorum struct {
	ClusterIDs []string `json:"clusterIds"`
	// Dynamic tells whether voters are directories named by a KRaftVoters record (kraft.version 1); VotersFrom is the
	// copy that says who they are.
	Dynamic    bool           `json:"dynamic"`
	Voters     []logdir.Voter `json:"voters"`
	VotersFrom string         `json:"votersFrom,omitempty"`
	Majority   int            `json:"majority"`
	// Missing are voters none of whose copies was read, or whose copy is empty or could not be read to its end.
	Missing []int32 `json:"missingVoters,omitempty"`
	Copies  []Copy  `json:"copies"`
	// Newest is the index in Copies of the newest log; NewestVoter of a voter's. -1 for none.
	Newest      int `json:"newest"`
	NewestVoter int `json:"newestVoter"`
	// LeaderID and LeaderEpoch are the last leader known to any copy; LeaderEpoch is the highest epoch seen.
	LeaderID    int32 `json:"leaderId"`
	LeaderEpoch int32 `json:"leaderEpoch"`
	// Committed is the offset up to which (exclusive) everything is proven committed, CommittedBy how.
	Committed   int64  `json:"committed"`
	CommittedBy string `json:"committedBy"`
	// MayBeCommitted is the newest position that can have been committed, voters that were not read counted as having held
	// everything. It is nil when nothing bounds it: a majority could be among those.
	MayBeCommitted *logdir.OffsetAndEpoch `json:"mayBeCommitted,omitempty"`
	// Problems are sentences about what does not fit together.
	Problems []string `json:"problems,omitempty"`
}

// FromContents lists the copies of the metadata log on a volume.
func FromContents(volume string, c *logdir.Contents) []Copy {
	var out []Copy
	for i := range c.Dirs {
		d := &c.Dirs[i]
		if d.Metadata == nil {
			continue
		}
		out = append(out, fromLogDir(volume, d))
	}
	return out
}

func fromLogDir(volume string, d *logdir.LogDir) Copy {
	m := d.Metadata
	c := Copy{
		Name: volume, End: m.End, EndKnown: m.EndKnown, Empty: m.Empty, LastTimestamp: m.LastTimestamp,
		LeaderID: -1, LeaderEpoch: -1, voters: m.Voters, leaderVoters: m.LeaderChangeVoters, kraftVersion: m.KRaftVersion,
	}
	if d.Path != "." {
		c.Name += "/" + d.Path
	}
	if d.Meta != nil {
		c.NodeID, c.DirectoryID = d.Meta.NodeID, d.Meta.DirectoryID
		if d.Meta.ClusterID != nil {
			c.ClusterID = *d.Meta.ClusterID
		}
	}
	for _, s := range m.Snapshots {
		if s.Valid {
			c.SnapshotEnd = max(c.SnapshotEnd, s.ID.Offset)
		}
	}
	if d.Quorum != nil {
		c.LeaderID, c.LeaderEpoch = d.Quorum.LeaderID, d.Quorum.LeaderEpoch
		if c.leaderVoters == nil {
			c.leaderVoters = d.Quorum.Voters
		}
	}
	return c
}

// Judge compares the copies. Nothing is chosen by majority: the voters are those the newest copy names.
func Judge(copies []Copy) *Quorum {
	q := &Quorum{Copies: slices.Clone(copies), Newest: -1, NewestVoter: -1, LeaderID: -1, LeaderEpoch: -1}
	q.identity()
	q.whoVotes()
	q.roles()
	q.newest()
	q.committed()
	q.elections()
	return q
}

func (q *Quorum) problem(format string, args ...any) {
	q.Problems = append(q.Problems, fmt.Sprintf(format, args...))
}

func (q *Quorum) identity() {
	for i := range q.Copies {
		c := &q.Copies[i]
		if c.ClusterID != "" && !slices.Contains(q.ClusterIDs, c.ClusterID) {
			q.ClusterIDs = append(q.ClusterIDs, c.ClusterID)
		}
		if !c.EndKnown {
			q.problem("%s: its log could not be read to the end; offset %d is a lower bound", c.Name, c.End.Offset)
		}
		for _, other := range q.Copies[:i] {
			if c.NodeID != nil && other.NodeID != nil && *c.NodeID == *other.NodeID {
				q.problem("%s and %s both are of node %d; one is a copy or a leftover", other.Name, c.Name, *c.NodeID)
			}
		}
		if c.LeaderEpoch > q.LeaderEpoch || (c.LeaderEpoch == q.LeaderEpoch && q.LeaderID < 0) {
			q.LeaderEpoch, q.LeaderID = c.LeaderEpoch, c.LeaderID
		}
		if c.End.Epoch > q.LeaderEpoch {
			q.LeaderEpoch, q.LeaderID = c.End.Epoch, -1
		}
	}
	slices.Sort(q.ClusterIDs)
	if len(q.ClusterIDs) > 1 {
		q.problem("the copies are of %d clusters: %v; what follows has no meaning across clusters",
			len(q.ClusterIDs), q.ClusterIDs)
	}
}

// whoVotes takes the voters from the newest copy that names any.
func (q *Quorum) whoVotes() {
	var best *Copy
	for i := range q.Copies {
		c := &q.Copies[i]
		if c.voters == nil && len(c.leaderVoters) == 0 {
			continue
		}
		if best == nil || c.End.Compare(best.End) > 0 {
			best = c
		}
	}
	switch {
	case best == nil:
		q.problem("no copy says who the voters are")
		return
	case best.voters != nil:
		q.Dynamic, q.Voters = true, slices.Clone(best.voters.Voters)
	default:
		for _, id := range best.leaderVoters {
			q.Voters = append(q.Voters, logdir.Voter{ID: id})
		}
	}
	q.VotersFrom = best.Name
	slices.SortFunc(q.Voters, func(a, b logdir.Voter) int { return cmp.Compare(a.ID, b.ID) })
	q.Majority = len(q.Voters)/2 + 1
}

func (q *Quorum) roles() {
	for i := range q.Copies {
		c := &q.Copies[i]
		c.Role, c.RoleReason = q.role(c)
	}
	for _, v := range q.Voters {
		if q.ends(v) == nil {
			q.Missing = append(q.Missing, v.ID)
		}
	}
}

func (q *Quorum) role(c *Copy) (Role, string) {
	if c.NodeID == nil {
		return RoleUnknown, "meta.properties does not say whose it is"
	}
	for _, v := range q.Voters {
		if v.ID != *c.NodeID {
			continue
		}
		if !q.Dynamic || v.DirectoryID == c.DirectoryID {
			return Voter, ""
		}
		reason := fmt.Sprintf("node %d votes with directory %s, this is directory %s", v.ID, v.DirectoryID, c.DirectoryID)
		q.problem("%s: %s; Kafka does not count it as that voter", c.Name, reason)
		return Observer, reason
	}
	return Observer, ""
}

// ends is the copy that counts for a voter: its newest that holds anything. Copies with the same node ID are told of in
// Problems.
func (q *Quorum) ends(v logdir.Voter) *Copy {
	var best *Copy
	for i := range q.Copies {
		c := &q.Copies[i]
		if c.Role == Voter && *c.NodeID == v.ID && !c.Empty && (best == nil || c.End.Compare(best.End) > 0) {
			best = c
		}
	}
	return best
}

func (q *Quorum) newest() {
	for i := range q.Copies {
		c := &q.Copies[i]
		if c.Empty {
			continue
		}
		if q.Newest < 0 || c.End.Compare(q.Copies[q.Newest].End) > 0 {
			q.Newest = i
		}
		if c.Role == Voter && (q.NewestVoter < 0 || c.End.Compare(q.Copies[q.NewestVoter].End) > 0) {
			q.NewestVoter = i
		}
	}
	if q.Newest < 0 {
		return
	}
	top := q.Copies[q.Newest].End
	for i := range q.Copies {
		c := &q.Copies[i]
		c.Behind = max(0, top.Offset-c.End.Offset)
		c.MayTruncate = !c.Empty && c.End.Epoch < top.Epoch && c.End.Offset > 0
	}
}

// committed finds what is proven: snapshots hold committed records only, and what a majority of the voters holds in
// the newest epoch is committed. An older epoch on a majority proves nothing (Raft, section 5.4.2).
func (q *Quorum) committed() {
	q.CommittedBy = "nothing"
	for i := range q.Copies {
		if c := &q.Copies[i]; c.SnapshotEnd > q.Committed {
			q.Committed, q.CommittedBy = c.SnapshotEnd, "snapshot on "+c.Name
		}
	}
	if len(q.Voters) == 0 {
		return
	}
	var ends []logdir.OffsetAndEpoch
	unsure := len(q.Missing)
	for _, v := range q.Voters {
		c := q.ends(v)
		if c == nil {
			continue
		}
		ends = append(ends, c.End)
		if !c.EndKnown {
			unsure++
		}
	}
	slices.SortFunc(ends, func(a, b logdir.OffsetAndEpoch) int { return b.Compare(a) })
	if len(ends) >= q.Majority {
		kth := ends[q.Majority-1]
		if kth.Epoch == ends[0].Epoch && kth.Epoch == q.newestEpoch() && kth.Offset > q.Committed {
			q.Committed = kth.Offset
			q.CommittedBy = fmt.Sprintf("%d of %d voters hold it in epoch %d", q.Majority, len(q.Voters), kth.Epoch)
		}
	}
	// Voters that were not read may have held everything: they take the first places.
	if place := q.Majority - 1 - unsure; place >= 0 && place < len(ends) {
		q.MayBeCommitted = &ends[place]
	}
}

func (q *Quorum) newestEpoch() int32 {
	epoch := int32(math.MinInt32)
	for i := range q.Copies {
		epoch = max(epoch, q.Copies[i].End.Epoch)
	}
	return epoch
}

// elections counts, for each voter that was read, the voters read that would vote for it: those whose log is not newer
// (KafkaRaftClient.canGrantVote). Voters that were not read vote for nobody.
func (q *Quorum) elections() {
	for i := range q.Copies {
		c := &q.Copies[i]
		if c.Role != Voter || c.Empty {
			continue
		}
		for _, v := range q.Voters {
			if other := q.ends(v); other != nil && other.End.Compare(c.End) <= 0 {
				c.Votes++
			}
		}
		c.Electable = q.Majority > 0 && c.Votes >= q.Majority
	}
}

// Loss says what would be lost if only these volumes were started: the offsets that the newest copy has and the worst
// copy that can be elected has not. ok is false when nobody can be elected.
func (q *Quorum) Loss() (offsets int64, ok bool) {
	if q.Newest < 0 {
		return 0, false
	}
	top := q.Copies[q.Newest].End
	for i := range q.Copies {
		if c := &q.Copies[i]; c.Electable {
			ok = true
			offsets = max(offsets, top.Offset-c.End.Offset)
		}
	}
	return offsets, ok
}

// SafeToStart tells whether starting these volumes alone can lose nothing that may have been committed: everybody who
// could be elected has all of it.
func (q *Quorum) SafeToStart() bool {
	if q.MayBeCommitted == nil || len(q.ClusterIDs) > 1 {
		return false
	}
	electable := false
	for i := range q.Copies {
		if c := &q.Copies[i]; c.Electable {
			electable = true
			if c.End.Compare(*q.MayBeCommitted) < 0 {
				return false
			}
		}
	}
	return electable
}
