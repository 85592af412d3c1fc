package recovery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Phase tells what a journal entry says of its step.
type Phase string

// The phases of a journal entry. An intent without a later entry of the same step means: it may or may not have
// happened; whoever goes on must look.
const (
	PhaseBegin  Phase = "begin"  // the operation started; Note holds the request
	PhaseIntent Phase = "intent" // the changes are about to be made
	PhaseDone   Phase = "done"   // the changes were made and read back
	PhaseFailed Phase = "failed" // the step ended without its effect; Note says why
	PhaseNote   Phase = "note"   // something observed that changed nothing
	PhaseDecide Phase = "decide" // the plan was confirmed; Decided holds it
	PhaseResume Phase = "resume" // another run goes on with the operation
	PhaseUndo   Phase = "undo"   // another run takes the operation back
	PhaseStop   Phase = "stop"   // another run halts the cluster
	PhaseAlarm  Phase = "alarm"  // something was observed that was not predicted; Alarmed says what, and what was decided
	PhaseEnd    Phase = "end"    // the operation ended; Note holds the outcome
)

// ObjectRef names one object.
type ObjectRef struct {
	APIVersion      string `json:"apiVersion"`
	Kind            string `json:"kind"`
	Namespace       string `json:"namespace,omitempty"`
	Name            string `json:"name"`
	UID             string `json:"uid,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

// String returns KIND/NAME in lower-case kind, the form the rest of the output uses.
func (o ObjectRef) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// The verbs of a change.
const (
	VerbPatch  = "patch"
	VerbCreate = "create"
	VerbDelete = "delete"
	VerbRename = "rename" // a directory on the claim's volume
)

// Change is one write to one object: enough to see what was there before, what was sent, and what came back.
type Change struct {
	Object ObjectRef `json:"object"`
	// Verb is patch, create, delete or rename.
	Verb        string `json:"verb"`
	Subresource string `json:"subresource,omitempty"`
	// Before holds the fields that Patch touches, in its shape, as they were, null where there were none; nothing for a
	// create. Secret values are never here.
	Before map[string]any `json:"before,omitempty"`
	// Patch is what is sent: a merge patch, or the object that is created.
	Patch json.RawMessage `json:"patch,omitempty"`
}

// Entry is one line of the journal.
type Entry struct {
	Seq     int       `json:"seq"`
	Time    time.Time `json:"time"`
	Step    string    `json:"step,omitempty"`
	Phase   Phase     `json:"phase"`
	Changes []Change  `json:"changes,omitempty"`
	Note    string    `json:"note,omitempty"`
	// Began says who began or went on with the operation, where, and what was asked for.
	Began *Beginning `json:"began,omitempty"`
	// Decided is what was confirmed, and what it was decided on.
	Decided *Decision `json:"decided,omitempty"`
	// Alarmed is what was observed while the cluster started and not predicted.
	Alarmed *Alarmed `json:"alarmed,omitempty"`
	// Logs say how far the containers' logs went before the cluster was un-paused, by the pods' UIDs.
	Logs map[string]LogMark `json:"logs,omitempty"`
	// Ended is how the run ended.
	Ended *Ending `json:"ended,omitempty"`
}

// Mirror keeps a copy of the journal where another machine can read it.
type Mirror interface {
	// Append adds entries in their order and returns how many it has taken: all of them, or those before the one that
	// the error is about. One that is added again is the same as one that is there.
	Append(ctx context.Context, entries []Entry) (taken int, err error)
}

// Journal is the append-only record of one operation: a file of JSON lines, synced before a line counts, and a mirror
// in the cluster. An entry that could not be written in both places is an error, and the change it announces must not
// be made (safety contract, line 6).
type Journal struct {
	dir   string
	clock clock.PassiveClock

	// sending is held by whoever syncs the file and sends the mirror what it does not have. Steps write several objects
	// side by side: what the others announce meanwhile goes with the next request, all of it in one. Taken before mu.
	sending sync.Mutex
	mu      sync.Mutex
	file    *os.File
	mirror  Mirror
	seq     int
	// behind are entries that the mirror does not have: all of them until it is set, later those that it failed to take.
	behind []Entry
}

const journalFile = "journal.jsonl"

// OpenJournal creates dir (mode 0700) and its journal file (0600). It refuses a directory that already has one: an
// operation's ID is used once. mirror may be nil until SetMirror.
func OpenJournal(dir string, clk clock.PassiveClock) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create operation folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, journalFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	return &Journal{dir: dir, file: file, clock: clk}, nil
}

// ContinueJournal opens the journal of an operation that is gone on with, in dir, which need not be there: the
// operation may have begun on another machine. A file that says something else than entries, such as a line cut short
// by a crash, is kept beside the journal under another name. mirrored tells how many of the entries the mirror has.
func ContinueJournal(dir string, entries []Entry, mirrored int, clk clock.PassiveClock) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create operation folder: %w", err)
	}
	var content bytes.Buffer
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("encode journal entry: %w", err)
		}
		content.Write(append(line, '\n'))
	}
	path := filepath.Join(dir, journalFile)
	here, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	if err != nil || !bytes.Equal(here, content.Bytes()) {
		if err := replaceJournal(path, err == nil, content.Bytes(), clk.Now()); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{dir: dir, file: file, clock: clk, seq: len(entries)}
	j.behind = slices.Clone(entries[min(mirrored, len(entries)):])
	return j, nil
}

// replaceJournal writes the journal anew and keeps the file that was there.
func replaceJournal(path string, there bool, content []byte, now time.Time) error {
	if there {
		kept := fmt.Sprintf("%s.until-%s", path, now.UTC().Format("20060102-150405.000000000"))
		if err := os.Rename(path, kept); err != nil {
			return fmt.Errorf("keep the journal as it was: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write journal %q: %w", path, err)
	}
	return nil
}

// Dir is the operation's folder.
func (j *Journal) Dir() string { return j.dir }

// SetMirror adds the copy in the cluster and sends it everything it does not have.
func (j *Journal) SetMirror(ctx context.Context, mirror Mirror) error {
	j.mu.Lock()
	j.mirror = mirror
	last := j.seq
	j.mu.Unlock()
	return j.keep(ctx, last)
}

// Append writes one entry, first to the file and then to the mirror.
func (j *Journal) Append(ctx context.Context, step string, phase Phase, note string, changes ...Change) error {
	return j.add(ctx, Entry{Step: step, Phase: phase, Note: note, Changes: changes})
}

// add numbers and dates an entry, writes it, and returns when it is kept here and in the mirror.
func (j *Journal) add(ctx context.Context, entry Entry) error {
	seq, err := j.write(entry)
	if err != nil {
		return err
	}
	return j.keep(ctx, seq)
}

// write numbers an entry and adds it to the file, in the order of the numbers.
func (j *Journal) write(entry Entry) (seq int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Seq, entry.Time = j.seq+1, j.clock.Now().UTC()
	line, err := json.Marshal(entry)
	if err != nil {
		return 0, fmt.Errorf("encode journal entry: %w", err)
	}
	j.seq++
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return 0, fmt.Errorf("write journal %q: %w", j.file.Name(), err)
	}
	j.behind = append(j.behind, entry)
	return entry.Seq, nil
}

// keep returns when entry seq is on the disk and in the mirror: at once where another's request has taken it along.
// What the mirror lacks is sent in order: a copy with a gap would be one that ends there.
func (j *Journal) keep(ctx context.Context, seq int) error {
	j.sending.Lock()
	defer j.sending.Unlock()
	j.mu.Lock()
	mirror, behind := j.mirror, slices.Clone(j.behind)
	j.mu.Unlock()
	if len(behind) == 0 || behind[0].Seq > seq {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync journal %q: %w", j.file.Name(), err)
	}
	if mirror == nil {
		return nil
	}
	taken, err := mirror.Append(ctx, behind)
	j.mu.Lock()
	j.behind = j.behind[taken:]
	j.mu.Unlock()
	if err != nil && behind[0].Seq+taken <= seq {
		return fmt.Errorf("mirror journal entry %d: %w", behind[taken].Seq, err)
	}
	return nil
}

// Close closes the file. The journal stays.
func (j *Journal) Close() error { return j.file.Close() }

// ReadJournal returns the entries of the operation folder dir. A last line cut short by a crash is left out: its change
// was not made, for the line is synced before the change is.
func ReadJournal(dir string) ([]Entry, error) {
	path := filepath.Join(dir, journalFile)
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer func() { _ = file.Close() }()
	var entries []Entry
	dec := json.NewDecoder(file)
	for dec.More() {
		var e Entry
		if err := dec.Decode(&e); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			return nil, fmt.Errorf("read journal %q, entry %d: %w", path, len(entries)+1, err)
		}
		if e.Seq != len(entries)+1 {
			return nil, fmt.Errorf("read journal %q: entry %d has number %d", path, len(entries)+1, e.Seq)
		}
		entries = append(entries, e)
	}
	return entries, nil
}
