package cmd

import "testing"

func TestASnapshotsClassMayBeLeftOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]snapshotClass{
		anyClass:          {asked: true},
		"csi-rbd.example": {asked: true, name: "csi-rbd.example"},
	} {
		var got snapshotClass
		if err := got.Set(text); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-a", "A", "a/b", "a b"} {
		var got snapshotClass
		if err := got.Set(text); err == nil || got.asked {
			t.Errorf("%q is no name of a class: %+v", text, got)
		}
	}
}
