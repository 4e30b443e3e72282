// Package nodes holds the kinds of nodes that a call flow is made of. A kind
// is one file, one JSON Schema, one page, one script of simulated calls, and one
// line in the table below; TestEveryKind refuses a kind that lacks any.
//
// To add a kind, begin with its page (doc): settings, exits, and what happens
// when the server dies in the middle of it. Then write the struct: fields with
// a yaml tag are its settings, Check says what types cannot, Run does the work
// with the verbs of the Session and returns an exit. An outcome that a flow may
// want to deal with is an exit; an error is a fault. Return the errors of verbs
// as they come: one of them says that the call is over. A node runs for many
// calls at once and keeps nothing of any of them; a choice that has to outlive
// the process goes into Session.Keep.
package nodes

import (
	"embed"
	"regexp"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/hours"
)

// Kinds is the table of all kinds.
var Kinds = flowengine.Kinds{
	{Name: "answer", New: func() flowengine.Node { return &Answer{} }, Exits: []string{flowengine.NextExit}, Answers: true, Openly: true},
	{Name: "play", New: func() flowengine.Node { return &Play{} }, Exits: []string{flowengine.NextExit}, Takes: true, Sounds: true, Answers: true},
	{Name: "say", New: func() flowengine.Node { return &Say{} }, Exits: []string{flowengine.NextExit}, Takes: true, Sounds: true, Answers: true},
	{Name: "wait", New: func() flowengine.Node { return &Wait{} }, Exits: []string{flowengine.NextExit}, Takes: true},
	{Name: "menu", New: newMenu, Exits: []string{noInput, invalid}, Takes: true, Sounds: true, Answers: true},
	{Name: "gather", New: newGather, Exits: []string{gathered, noInput, invalid}, Takes: true, Sounds: true, Answers: true},
	{Name: "dial", New: newDial, Exits: reached, Takes: true, Sounds: true, Connect: []string{string(call.Completed)}},
	{Name: "plan", New: newPlan, Exits: reached, Takes: true, Sounds: true, Connect: []string{string(call.Completed)}},
	{Name: "branch", New: func() flowengine.Node { return &Branch{} }},
	{Name: "hours", New: func() flowengine.Node { return &Hours{} }, Exits: []string{string(hours.Open), string(hours.Closed), string(hours.Holiday)}},
	{Name: "geo", New: newGeo},
	{Name: "split", New: func() flowengine.Node { return &Split{Sticky: notSticky} }},
	{Name: "tag", New: func() flowengine.Node { return &Tag{} }, Exits: []string{flowengine.NextExit}},
	{Name: "set", New: func() flowengine.Node { return &Set{} }, Exits: []string{flowengine.NextExit}},
	{Name: "request", New: newRequest, Exits: []string{answered, flowengine.ErrorExit, timedOut}, Asks: true},
	{Name: "emit", New: func() flowengine.Node { return &Emit{} }, Exits: []string{flowengine.NextExit}},
	{Name: "record", New: func() flowengine.Node { return &Record{} }, Exits: []string{flowengine.NextExit}, Answers: true},
	{Name: "voicemail", New: newVoicemail, Exits: []string{recorded, empty}, Takes: true, Sounds: true, Answers: true},
	{Name: "flow", New: func() flowengine.Node { return &Flow{} }},
	{Name: "transfer", New: func() flowengine.Node { return &Transfer{} }},
	{Name: "hangup", New: func() flowengine.Node { return &Hangup{} }},
}

// nameSyntax is the form of the names that flows give to exits, variables and tags.
var nameSyntax = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

const nameHint = "a letter, then letters, digits, - or _, at most 64"

//go:embed schema/*.json doc/*.md
var files embed.FS

// Schema returns the JSON Schema (draft-07) of a kind's settings; nil for a kind that
// does not exist.
func Schema(kind string) []byte {
	data, _ := files.ReadFile("schema/" + kind + ".json")
	return data
}

// Doc returns the page of a kind, in Markdown; nil for a kind that does not
// exist.
func Doc(kind string) []byte {
	data, _ := files.ReadFile("doc/" + kind + ".md")
	return data
}
