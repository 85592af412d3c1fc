// Package alloc measures memory in tests that hold a decoder to a bound.
package alloc

import "runtime"

// Bytes returns how many bytes were allocated on the heap while fn ran, by all goroutines together; what was freed in
// between counts too.
func Bytes(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
