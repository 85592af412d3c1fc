// Package exitcode owns the process exit codes. They are a contract with the scripts that call kafkarecover
// (safety contract, line 11) and must not change meaning between releases.
package exitcode

import (
	"context"
	"errors"
	"fmt"
)

// Code is a process exit status.
type Code int

// The exit codes, in the order of docs/safety-contract.md line 11.
const (
	OK          Code = 0   // done, and everything agreed
	Error       Code = 1   // something failed that is none of the below
	Usage       Code = 2   // the command line or configuration was wrong; nothing was attempted
	Refused     Code = 3   // refused, inconsistent, or findings at or above --fail-on
	NotFound    Code = 4   // nothing was found to work on
	Incomplete  Code = 5   // timed out, unread, forbidden, or un-paused but not verified
	Interrupted Code = 130 // a signal ended the run
)

// CodedError carries the exit code that an error asks for. The message is that of Err.
type CodedError struct {
	Code Code
	Err  error
}

// Error returns the wrapped error's message.
func (e *CodedError) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *CodedError) Unwrap() error { return e.Err }

// With wraps err so that Of returns code. It returns nil for a nil err.
func With(code Code, err error) error {
	if err == nil {
		return nil
	}
	return &CodedError{Code: code, Err: err}
}

// Of returns the code an error asks for: that of the outermost CodedError in its chain, Interrupted for a cancelled
// context, Error for anything else, OK for nil.
func Of(err error) Code {
	if err == nil {
		return OK
	}
	var coded *CodedError
	if errors.As(err, &coded) {
		return coded.Code
	}
	if errors.Is(err, context.Canceled) {
		return Interrupted
	}
	return Error
}

// Worst returns the code that wins where several hold: 130, then 1, 2, 3, 5, 4, 0 (partial success is never 0).
func Worst(codes ...Code) Code {
	for _, c := range []Code{Interrupted, Error, Usage, Refused, Incomplete, NotFound} {
		for _, have := range codes {
			if have == c {
				return c
			}
		}
	}
	return OK
}

// All lists the codes in ascending order.
func All() []Code { return []Code{OK, Error, Usage, Refused, NotFound, Incomplete, Interrupted} }

// Meaning says what a code means, as the help of every command does.
func (c Code) Meaning() string {
	switch c {
	case OK:
		return "done, and everything agreed"
	case Error:
		return "an error that is none of the below"
	case Usage:
		return "the command line or the configuration was wrong; nothing was attempted"
	case Refused:
		return "refused, inconsistent, or findings at the --fail-on level"
	case NotFound:
		return "nothing was found to work on"
	case Incomplete:
		return "incomplete: timed out, unread, forbidden, or un-paused but not verified"
	case Interrupted:
		return "interrupted by a signal"
	}
	return fmt.Sprintf("unknown exit code %d", int(c))
}
