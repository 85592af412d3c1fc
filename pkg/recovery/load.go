package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// Recorded is an operation as its journal tells it, here or in the cluster.
type Recorded struct {
	Operation string
	// Folder is where the operation's journal is on this machine, or will be.
	Folder string
	// Here and InCluster tell where the journal was found.
	Here, InCluster bool
	Entries         []Entry
	// Began is how it began, Decision what was confirmed (nil when nothing was), Ended how its last run ended (nil when
	// that run is under way or died).
	Began    *Beginning
	Decision *Decision
	Ended    *Ending

	mirror *configMapMirror
	// copied is how many entries the copy in the cluster has.
	copied int
}

// UnknownOperationError says that there is no journal of an operation.
type UnknownOperationError struct{ Operation, Folder, Namespace string }

// Error says where was looked.
func (e *UnknownOperationError) Error() string {
	return fmt.Sprintf("there is no journal of operation %q, neither in %q nor in a ConfigMap of namespace %q: name its "+
		"namespace with -n; `kafkarecover status -A` lists the operations of all namespaces", e.Operation, e.Folder,
		e.Namespace)
}

// JournalError says that a journal cannot be used: it is damaged, was changed by somebody, or is about something else.
type JournalError struct{ Operation, Reason string }

// Error names the operation and what is wrong.
func (e *JournalError) Error() string {
	return fmt.Sprintf("the journal of operation %q cannot be used: %s", e.Operation, e.Reason)
}

// Load reads the journal of an operation from this machine and from the cluster. Where both are there, the copy in the
// cluster decides: a change is made only after it was announced there, and another machine may have gone on.
func Load(ctx context.Context, k *kube.Client, stateDir, namespace, operation string) (*Recorded, error) {
	if !ValidOperationID(operation) {
		return nil, &JournalError{Operation: operation, Reason: "that is no operation's name; they look like " +
			"restore-20261124-031502-9f3a"}
	}
	r := &Recorded{Operation: operation, Folder: filepath.Join(stateDir, operation)}
	here, err := ReadJournal(r.Folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r.Here = len(here) > 0
	r.mirror = &configMapMirror{kube: k, namespace: namespace, operation: operation}
	there, err := r.mirror.read(ctx)
	if err != nil && (!r.Here || !kube.IsForbidden(err)) {
		return nil, err
	}
	r.InCluster, r.copied = len(there) > 0, len(there)
	r.Entries = there
	if !r.InCluster || isPrefix(there, here) {
		r.Entries = here
	}
	if len(r.Entries) == 0 {
		return nil, &UnknownOperationError{Operation: operation, Folder: r.Folder, Namespace: namespace}
	}
	return r, r.understand(namespace)
}

// LoadHere reads the journal of an operation from this machine alone.
func LoadHere(stateDir, operation string) (*Recorded, error) {
	if !ValidOperationID(operation) {
		return nil, &JournalError{Operation: operation, Reason: "that is no operation's name"}
	}
	r := &Recorded{Operation: operation, Folder: filepath.Join(stateDir, operation), Here: true}
	var err error
	if r.Entries, err = ReadJournal(r.Folder); err != nil {
		return nil, err
	}
	if len(r.Entries) == 0 {
		return nil, &JournalError{Operation: operation, Reason: "it is empty"}
	}
	return r, r.understand("")
}

// isPrefix tells whether the entries of all begin with those of head.
func isPrefix(head, all []Entry) bool {
	if len(head) > len(all) {
		return false
	}
	for i := range head {
		one, err1 := json.Marshal(head[i])
		other, err2 := json.Marshal(all[i])
		if err1 != nil || err2 != nil || string(one) != string(other) {
			return false
		}
	}
	return true
}

// objectNamed is a Kubernetes object's name; namespaces are shorter, which does not matter here.
var objectNamed = regexp.MustCompile(`^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$`)

// understand takes the entries apart and refuses those that no run of this tool writes. A journal is input that anybody
// may have written who may write a ConfigMap.
func (r *Recorded) understand(namespace string) error {
	refuse := func(format string, args ...any) error {
		return &JournalError{Operation: r.Operation, Reason: fmt.Sprintf(format, args...)}
	}
	r.Began = r.Entries[0].Began
	if r.Began == nil {
		return refuse("its first entry does not say what was asked for; it was written by another version")
	}
	kafka := r.Began.Kafka
	switch {
	case r.Began.Request == nil, r.Entries[0].Phase != PhaseBegin:
		return refuse("its first entry does not say what was asked for")
	case kafka.Kind != strimzi.KafkaKind && !r.ofSet() || !objectNamed.MatchString(kafka.Name):
		return refuse("it is about %s, which is neither a Kafka resource nor a StatefulSet", kafka)
	case r.ofSet() != r.Began.Request.StatefulSet:
		return refuse("it is about %s, and something else was asked for", kafka)
	case !objectNamed.MatchString(kafka.Namespace):
		return refuse("%q is no namespace", kafka.Namespace)
	case kafka.Namespace != r.Began.Request.Namespace || kafka.Name != r.Began.Request.Name:
		return refuse("it is about %s, but kafka %q was asked for", kafka,
			r.Began.Request.Namespace+"/"+r.Began.Request.Name)
	case namespace != "" && kafka.Namespace != namespace:
		return refuse("it is about namespace %q, and this acts in %q: give -n %s", kafka.Namespace, namespace,
			kafka.Namespace)
	case r.mirror != nil:
		r.mirror.cluster = kafka.Name
	}
	for i := range r.Entries {
		if err := r.take(&r.Entries[i], refuse); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recorded) take(e *Entry, refuse func(string, ...any) error) error {
	switch e.Phase {
	case PhaseBegin, PhaseResume, PhaseUndo, PhaseStop:
		r.Ended = nil
		if b := e.Began; b != nil && (b.Operation != r.Operation || r.otherKafka(b.Kafka.UID)) {
			return refuse("entry %d is about operation %q and kafka uid %q", e.Seq, b.Operation, b.Kafka.UID)
		}
	case PhaseEnd:
		if r.Ended = e.Ended; r.Ended == nil {
			return refuse("entry %d does not say how the run ended", e.Seq)
		}
	case PhaseDecide:
		d := e.Decided
		if d == nil || d.Plan == nil {
			return refuse("entry %d holds no plan", e.Seq)
		}
		p := d.Plan
		if p.Operation != r.Operation || p.Namespace != r.Began.Kafka.Namespace || p.Cluster != r.Began.Kafka.Name ||
			r.otherKafka(p.KafkaUID) {
			return refuse("the plan of entry %d is of operation %q on kafka %q (uid %q)", e.Seq, p.Operation,
				p.Namespace+"/"+p.Cluster, p.KafkaUID)
		}
		r.Decision = d
	case PhaseIntent, PhaseDone, PhaseFailed:
		for _, c := range e.Changes {
			if !slices.Contains([]string{VerbPatch, VerbCreate, VerbDelete, VerbRename}, c.Verb) {
				return refuse("entry %d has a change of the kind %q", e.Seq, c.Verb)
			}
		}
	case PhaseNote:
	case PhaseAlarm:
		if e.Alarmed == nil {
			return refuse("entry %d does not say what the alarm was", e.Seq)
		}
	default:
		return refuse("entry %d is of the unknown phase %q", e.Seq, e.Phase)
	}
	return nil
}

// kafkaUID is the UID of the resource that the operation is about: the one that was found or, where there was none, the
// one that the operation created. It is empty as long as that is not known.
func (r *Recorded) kafkaUID() string {
	if uid := r.Began.Kafka.UID; uid != "" {
		return uid
	}
	uid := ""
	for i := range r.Entries {
		for _, c := range r.Entries[i].Changes {
			if r.Entries[i].Phase == PhaseDone && c.Verb == VerbCreate && c.Object.Kind == r.Began.Kafka.Kind {
				uid = c.Object.UID
			}
		}
	}
	return uid
}

// otherKafka tells whether a UID is that of another resource than the operation's.
func (r *Recorded) otherKafka(uid string) bool {
	own := r.kafkaUID()
	return uid != "" && own != "" && uid != own
}

// bound refuses to act in another Kubernetes cluster than the one the journal is of.
func (r *Recorded) bound(here Place) error {
	there := r.Began.Place
	if there.ServerID == "" || here.ServerID == "" || there.ServerID == here.ServerID {
		return nil // where it is not known, the UIDs of the objects bind it
	}
	return &JournalError{Operation: r.Operation, Reason: fmt.Sprintf("it is of another Kubernetes cluster: it began on "+
		"server %s (context %q, kube-system uid %s), and this acts on server %s (context %q, kube-system uid %s)",
		there.Server, there.Context, there.ServerID, here.Server, here.Context, here.ServerID)}
}

// noReturn tells whether a step of that ID is the point of no return of the plan.
func (r *Recorded) noReturn(step string) bool {
	if r.Decision == nil {
		return false
	}
	s := r.Decision.Plan.step(StepID(step))
	return s != nil && s.NoReturn
}

// passed tells whether the point of no return was passed. Where the journal says that it was about to be, and not how
// that ended, the objects tell: a write whose answer was lost may have been made.
func (r *Recorded) passed(ctx context.Context, k *kube.Client) (bool, error) {
	var open []Change
	for i := range r.Entries {
		e := &r.Entries[i]
		if !r.noReturn(e.Step) {
			continue
		}
		for _, c := range e.Changes {
			switch e.Phase {
			case PhaseDone:
				if !isMarker(r.intentOf(i, &c)) {
					return true, nil
				}
			case PhaseIntent:
				if !isMarker(&c) {
					open = append(open, c)
				}
			case PhaseBegin, PhaseFailed, PhaseNote, PhaseDecide, PhaseResume, PhaseUndo, PhaseStop, PhaseAlarm, PhaseEnd:
			}
		}
	}
	for i := range open {
		applied, err := isApplied(ctx, k, r.Began, &open[i])
		if applied || err != nil {
			return applied, err
		}
	}
	return false, nil
}

// intentOf finds the announcement of a change whose end is told in entry at.
func (r *Recorded) intentOf(at int, c *Change) *Change {
	for i := at - 1; i >= 0; i-- {
		e := &r.Entries[i]
		if e.Phase != PhaseIntent || e.Step != r.Entries[at].Step {
			continue
		}
		for j := range e.Changes {
			o := &e.Changes[j]
			if o.Verb == c.Verb && o.Object.String() == c.Object.String() && o.Subresource == c.Subresource {
				return o
			}
		}
	}
	return c
}

// isMarker tells whether a change only wrote the marker of a proof, which starts nothing.
func isMarker(c *Change) bool {
	fields := written(c)
	return len(fields) == 1 && fields[0].value == strimzi.Marker
}

// isApplied tells whether a change shows in its object now.
func isApplied(ctx context.Context, k *kube.Client, began *Beginning, c *Change) (bool, error) {
	kind, err := kindOf(began, &c.Object)
	if err != nil {
		return false, err
	}
	u, err := k.Get(ctx, kind.gvr, c.Object.Namespace, c.Object.Name)
	gone := kube.IsNotFound(err)
	if err != nil && !gone {
		return false, fmt.Errorf("look whether a change was made: %w", err)
	}
	same := !gone && (c.Object.UID == "" || string(u.GetUID()) == c.Object.UID)
	switch c.Verb {
	case VerbDelete:
		return !same, nil
	case VerbRename: // it is on the volume that it shows, and the step looks there
		return same, nil
	case VerbCreate:
		return !gone && isOwn(u, began.Operation), nil
	}
	return same && shows(u, written(c)), nil
}

func shows(u *unstructured.Unstructured, fields []field) bool {
	for _, f := range fields {
		if !f.equals(u.Object, f.value) {
			return false
		}
	}
	return len(fields) > 0
}
