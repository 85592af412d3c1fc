package quorum

import (
	"cmp"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// JudgeVoters compares the copies as Judge does, for voters that are known from elsewhere, such as the roles of pools,
// which the next start makes the voters of a static quorum. From says where they are known from. Voters with a
// directory ID are matched by it.
func JudgeVoters(copies []Copy, voters []logdir.Voter, from string) *Quorum {
	q := &Quorum{Copies: slices.Clone(copies), Newest: -1, NewestVoter: -1, LeaderID: -1, LeaderEpoch: -1}
	q.identity()
	q.Voters, q.VotersFrom = slices.Clone(voters), from
	slices.SortFunc(q.Voters, func(a, b logdir.Voter) int { return cmp.Compare(a.ID, b.ID) })
	q.Dynamic = slices.ContainsFunc(voters, func(v logdir.Voter) bool { return v.DirectoryID != "" })
	if len(q.Voters) > 0 {
		q.Majority = len(q.Voters)/2 + 1
	}
	q.roles()
	q.newest()
	q.committed()
	q.elections()
	return q
}

// End returns the copy that counts for a voter: its newest that holds anything, or nil.
func (q *Quorum) End(voter int32) *Copy {
	for _, v := range q.Voters {
		if v.ID == voter {
			return q.ends(v)
		}
	}
	return nil
}
