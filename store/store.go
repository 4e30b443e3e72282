// Package store says what Hookswitch keeps beyond the life of a call: the call
// log, the configuration, and the figures that nodes share.
//
// Two engines keep it, store/postgres and store/sqlite, behind the same
// interfaces; store/storetest is the one suite that both must pass. Everything
// that belongs to an organization is asked for with its slug, and the row of
// another is as one that is not there.
//
// Nothing in the path of a call waits for a store longer than the few
// milliseconds that package capacity grants; the call log is filled by package
// drain from the journal.
package store

import "errors"

// ErrNotFound says that the organization has nothing of that name or id.
var ErrNotFound = errors.New("not found")

// ErrNewer says that a later version of the program has made the tables.
var ErrNewer = errors.New("the database belongs to a later version of Hookswitch")

// UnavailableError says that something is not known because the store did not answer. Who
// asks a store on behalf of others tells them so with it.
type UnavailableError struct{ Err error }

func (e *UnavailableError) Error() string { return e.Err.Error() }

// Unwrap returns what the store said.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Store is all that an engine keeps.
type Store interface {
	Log
	Shared
	Configurations
	Inputs
	Outbox
	Keys
	Secrets
	Requests
	// Ping says whether the store answers.
	Pinger
	// Close lets go of the store; closing it twice is safe.
	Close() error
}
