package calllog

import (
	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// Entry is a row of ledger.
type Entry struct {
	Org      string
	N        int64
	Place    int
	replaced *string
	*store.MoneyEntry
}

// NewEntry returns the row of an entry.
func NewEntry(org string, n int64, place int, m *store.MoneyEntry) *Entry {
	e := &Entry{Org: org, N: n, Place: place, MoneyEntry: m}
	if m.Replaced != nil {
		text := m.Replaced.String()
		e.replaced = &text
	}
	return e
}

// EmptyEntry returns a row to read into.
func EmptyEntry() *Entry { return &Entry{MoneyEntry: new(store.MoneyEntry)} }

// Ledger returns the entries of rows that were read.
func Ledger(rows []*Entry) (entries []store.MoneyEntry, err error) {
	for _, r := range rows {
		m := *r.MoneyEntry
		if m.Time = m.Time.UTC(); r.replaced != nil {
			m.Replaced = new(call.Sum)
			if *m.Replaced, err = call.ParseSum(*r.replaced); err != nil {
				return nil, err
			}
		}
		entries = append(entries, m)
	}
	return entries, nil
}

// EntryColumns are the columns of ledger.
var EntryColumns = []Column[*Entry]{
	{"org", func(r *Entry) any { return &r.Org }},
	{"call", func(r *Entry) any { return &r.N }},
	{"place", func(r *Entry) any { return &r.Place }},
	{"key", func(r *Entry) any { return &r.Key }},
	{"time", func(r *Entry) any { return &r.Time }},
	{"kind", func(r *Entry) any { return (*string)(&r.Kind) }},
	{"amount", func(r *Entry) any { return (*int64)(&r.Amount) }},
	{"currency", func(r *Entry) any { return &r.Currency }},
	{"source", func(r *Entry) any { return &r.Source }},
	{"reason", func(r *Entry) any { return &r.Reason }},
	{"replaced", func(r *Entry) any { return &r.replaced }},
}

// additions returns what a ledger lacks of the entries that follow from a call's events.
// What a rule said, and no longer does since events came late, is corrected.
func additions(booked, derived []store.MoneyEntry) (added []store.MoneyEntry) {
	last := make(map[string]*store.MoneyEntry, len(booked))
	for i := range booked {
		last[booked[i].Key] = &booked[i]
	}
	for _, m := range derived {
		have := last[m.Key]
		delete(last, m.Key)
		if have != nil && have.Sum == m.Sum {
			continue
		}
		if have != nil {
			m.Replaced = &have.Sum
		}
		added = append(added, m)
	}
	for i := range booked {
		m := booked[i]
		if last[m.Key] != &booked[i] || m.Amount == 0 {
			continue
		}
		m.Replaced, m.Reason = &booked[i].Sum, "not due, by events that came late"
		m.Amount = 0
		added = append(added, m)
	}
	return added
}

// sum is one in columns.
type sum struct {
	amount   *int64
	currency string
}

func columnsOf(s *call.Sum) sum {
	if s == nil {
		return sum{}
	}
	return sum{(*int64)(&s.Amount), s.Currency}
}

func (s sum) read() *call.Sum {
	if s.amount == nil {
		return nil
	}
	return &call.Sum{Amount: call.Amount(*s.amount), Currency: s.currency}
}
