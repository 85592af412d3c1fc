package scan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Changes is what is different from an earlier scan.
type Changes struct {
	// Since is when the earlier scan was made.
	Since time.Time `json:"since"`
	// List is in the order of clusters, subjects and what of them changed.
	List []Change `json:"changes"`
}

// Change is one difference.
type Change struct {
	Namespace string `json:"namespace,omitempty"`
	Cluster   string `json:"cluster"`
	// Subject is a volume, kafka/NAME, or what a finding is about.
	Subject string `json:"subject"`
	// What is the thing that changed; Before and Now are empty where it was not there.
	What   string `json:"what"`
	Before string `json:"before,omitempty"`
	Now    string `json:"now,omitempty"`
}

// Any tells whether anything is different.
func (c *Changes) Any() bool { return c != nil && len(c.List) > 0 }

// Read reads a scan that was printed as JSON.
func Read(r io.Reader) (*Scan, error) {
	var s Scan
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return nil, fmt.Errorf("parse it as the JSON of a scan: %w", err)
	}
	if want := output.Meta("Scan"); s.TypeMeta != want {
		return nil, fmt.Errorf("it is apiVersion %q, kind %q; want %q, %q", s.APIVersion, s.Kind, want.APIVersion, want.Kind)
	}
	return &s, nil
}

// Against fills in what has changed since an earlier scan. Clusters that this scan was not asked to look at are left
// out; those it was asked for and did not find are not.
func (s *Scan) Against(before *Scan) {
	was, is := factsOf(before, s.covers), factsOf(s, s.covers)
	s.Changes = &Changes{Since: before.Time, List: []Change{}}
	for at, now := range is {
		if old, found := was[at]; !found || old != now {
			s.Changes.List = append(s.Changes.List, at.change(old, now))
		}
	}
	for at, old := range was {
		if _, found := is[at]; !found {
			s.Changes.List = append(s.Changes.List, at.change(old, ""))
		}
	}
	slices.SortFunc(s.Changes.List, func(a, b Change) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Cluster, b.Cluster),
			strings.Compare(a.Subject, b.Subject), strings.Compare(a.What, b.What))
	})
}

// covers tells whether the scan was asked to look where a cluster is or was. A folder is all there is to it.
func (s *Scan) covers(c *Cluster) bool {
	return s.scope.All || s.scope.Namespace == "" || (s.scope.Namespace == c.Namespace || c.Namespace == "") &&
		(len(s.scope.Clusters) == 0 || slices.Contains(s.scope.Clusters, c.Name))
}

// fact is where something that may change is said.
type fact struct{ namespace, cluster, subject, what string }

func (f fact) change(before, now string) Change {
	return Change{Namespace: f.namespace, Cluster: f.cluster, Subject: f.subject, What: f.what, Before: before, Now: now}
}

// factsOf are the things whose change matters: which volumes there are, what they are bound to, what is on them, what
// the resources say, and what was found.
func factsOf(s *Scan, covered func(*Cluster) bool) map[fact]string {
	facts := map[fact]string{}
	for i := range s.Clusters {
		c := &s.Clusters[i]
		if !covered(c) {
			continue
		}
		put := func(subject, what, value string) {
			if value != "" {
				facts[fact{c.Namespace, c.Name, subject, what}] = value
			}
		}
		put("kafka/"+c.Name, "cluster ID on the volumes", c.ClusterID)
		if c.Kafka != nil {
			put("kafka/"+c.Name, "uid", c.Kafka.Kafka.UID)
			id, _, _ := c.Kafka.ChosenClusterID()
			put("kafka/"+c.Name, "cluster ID in the status", id)
		}
		for j := range c.Volumes {
			volumeFacts(&c.Volumes[j], put)
		}
		for _, pv := range c.Others {
			put("pv/"+pv.Name, "beside claim "+pv.ClaimName, pv.Phase)
			put("pv/"+pv.Name, "reclaim policy", pv.ReclaimPolicy)
		}
		for _, f := range c.Findings {
			put(f.Subject, "finding "+f.Rule, string(f.Severity))
		}
	}
	return facts
}

func volumeFacts(v *volume.Volume, put func(subject, what, value string)) {
	put(v.Name, "state", string(v.State))
	if v.Claim != nil {
		put(v.Name, "claim", v.Claim.Phase+" "+v.Claim.UID)
	}
	if v.PV != nil {
		put(v.Name, "persistent volume", v.PV.Name)
		put(v.Name, "reclaim policy", v.PV.ReclaimPolicy)
	}
	if v.Contents == nil {
		return
	}
	for i := range v.Contents.Dirs {
		d := &v.Contents.Dirs[i]
		id, node, directory := said(d)
		put(v.Name, d.Path+" cluster.id", id)
		put(v.Name, d.Path+" node.id", node)
		put(v.Name, d.Path+" directory.id", directory)
		put(v.Name, d.Path+" metadata end", endText(d))
		_, partitions := counts(d)
		put(v.Name, d.Path+" partitions", number(partitions))
	}
}

func (c *Changes) section() output.Section {
	s := output.Section{
		Title: "Changed since " + c.Since.UTC().Format(time.RFC3339),
		Table: &output.Table{Columns: output.Columns("~SUBJECT", "~WHAT", "~BEFORE", "~NOW")},
	}
	for _, one := range c.List {
		s.Table.Rows = append(s.Table.Rows, output.Row(one.Subject, one.What, dash(one.Before),
			output.Styled(iostreams.Notice, dash(one.Now))))
	}
	if len(c.List) == 0 {
		s.Lines = append(s.Lines, output.Text("nothing"))
	}
	return s
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
