package probe

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
)

// The scripts run under any POSIX shell and use find, stat, tar and cat only, with options that busybox and GNU share.
// Arguments and names never become code: they are positional parameters and quoted everywhere.
//
// A volume may hold any name, with newlines and escapes, made to look like a line of ours. Each record therefore begins
// with a token that was drawn after the names were written, and the name, as the last field, runs to the next token: no
// name can forge or hide a record. LC_ALL=C keeps tools from treating names as text.

// listScript prints for each volume (a folder given as argument)
//
//	TOKEN begin INDEX
//	TOKEN entry MODE-HEX SIZE MTIME UID GID PATH     for each file system entry; PATH begins with the folder
//	TOKEN closed PATH                                for each folder that could not be listed
//	TOKEN end INDEX STATUS                           status of find; 1 when something could not be listed
//
// The search for closed folders runs only when find failed: it costs as much again.
const listScript = `LC_ALL=C; export LC_ALL
t=$1; shift
cd "$1" || exit 1
shift
i=0
for d; do
printf '%s begin %d\n' "$t" "$i"
printf '%s %d\n' "$t" "$i" >&2
find "$d" -xdev -exec stat -c "$t entry %f %s %Y %u %g %n" {} +
s=$?
if [ "$s" -ne 0 ]; then
find "$d" -xdev -type d -exec sh -c 't=$1; shift; for d; do { [ -r "$d" ] && [ -x "$d" ]; } || printf "%s closed %s\n" "$t" "$d"; done' sh "$t" {} + 2>/dev/null
fi
printf '%s end %d %d\n' "$t" "$i" "$s"
i=$((i+1))
done
exit 0`

// fetchScript reads paths from stdin, one a line, and writes a tar archive of each batch of them, each followed by
//
//	TOKEN tar STATUS
//
// An empty line ends a batch. A path that cannot be read is left out by tar, which then has a status other than 0.
const fetchScript = `LC_ALL=C; export LC_ALL
t=$1
cd "$2" || exit 1
` + fetchLoop

const fetchLoop = `set --
while IFS= read -r p; do
if [ -n "$p" ]; then set -- "$@" "$p"; continue; fi
tar -cf - -- "$@"
printf '\n%s tar %d\n' "$t" "$?"
set --
done
exit 0`

// batchFiles is how many paths one tar is given: far below ARG_MAX with the longest paths that are fetched, and few
// enough for shells that copy all parameters at each step.
const batchFiles = 200

// newToken draws 128 bits, which no name written before can contain.
func newToken() string {
	const size = 16
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

func listCommand(token, root string, folders []string) []string {
	return append([]string{"sh", "-c", listScript, "sh", token, root}, folders...)
}

func fetchCommand(token, root string) []string {
	return []string{"sh", "-c", fetchScript, "sh", token, root}
}

// catCommand reads one file. The path is absolute, so that it cannot be taken for an option.
func catCommand(root, path string) []string {
	return []string{"cat", joinRoot(root, path)}
}

func joinRoot(root, path string) string {
	if root == "/" {
		return root + path
	}
	return root + "/" + path
}

func folderNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}
