// Package wording says numbers of things as people do.
package wording

import (
	"fmt"
	"strconv"
	"strings"
)

// Count counts things: one is what follows the number 1, several what follows any other, a noun or all that depends on
// the number.
func Count[N ~int | ~int32 | ~int64](n N, one, several string) string {
	if n != 1 {
		one = several
	}
	return strconv.FormatInt(int64(n), 10) + " " + one
}

// Few shows the first names of a list, most of them at most, and how many more there are. One more is shown as well: to
// say that there is one takes the same room.
func Few(names []string, most int) string {
	if len(names) <= most+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
