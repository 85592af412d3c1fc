// Package wording says numbers of things as people do.
package wording

import "strconv"

// Count counts things: one is what follows the number 1, several what follows any other, a noun or all that depends on
// the number.
func Count[N ~int | ~int32 | ~int64](n N, one, several string) string {
	if n != 1 {
		one = several
	}
	return strconv.FormatInt(int64(n), 10) + " " + one
}
