package flowengine

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Kind is one kind of node: what the engine and the loader need to know of it.
// All kinds of the product stand in one table, nodes.Kinds.
type Kind struct {
	Name    string      // how it is written in a flow
	New     func() Node // a node with its default settings, filled from the document
	Exits   []string    // the fixed exits; with "error", which every kind has, where it must be wired
	Takes   bool        // takes the caller's time, so that a cycle through it ends some day
	Sounds  bool        // the caller hears something at its beginning, whatever its settings
	Answers bool        // answers a call that nobody has answered, since it needs audio both ways
	Openly  bool        // is there to answer, so that nobody need be told that it does
	Connect []string    // the exits behind which the call is answered, since somebody took it
	Asks    bool        // makes requests to other systems
}

// Kinds is a table of kinds.
type Kinds []Kind

// Find returns the kind called name.
func (ks Kinds) Find(name string) (*Kind, bool) {
	for i := range ks {
		if ks[i].Name == name {
			return &ks[i], true
		}
	}
	return nil, false
}

// Names returns the names of all kinds, in the table's order.
func (ks Kinds) Names() []string {
	out := make([]string, len(ks))
	for i, k := range ks {
		out[i] = k.Name
	}
	return out
}

// Node is one node of a flow with its settings: a pointer to a struct whose
// fields with a `yaml` tag are read from the document. It does not change
// after it was loaded and runs for many calls at once.
//
// Run does what the node is for and says by which exit the call goes on. An
// error is a fault, not an outcome: the call goes through the error exit.
// Errors of the Session's verbs are returned as they come.
type Node interface {
	Run(ctx context.Context, s *Session) (Result, error)
}

// Result is how a node was left.
type Result struct {
	Exit string     // one of the node's exits
	Why  string     // for people: "pressed 1"
	Hang call.Cause // instead of an exit: the call ends here, with this cause
}

// Runner is a node that runs another flow: its exits are the ends of that flow,
// and the engine enters the flow when Run has returned without an error.
type Runner interface{ Runs() (flow string) }

// Planner is a node that runs a routing plan. The version of its flow covers the plan,
// see Session.Plan.
type Planner interface{ Plan() (plan string) }

// Setter is a node that leaves values for the nodes after it, under its own id or
// other names.
type Setter interface{ Sets(id string) []Variable }

// Variable is a value that a node leaves.
type Variable struct {
	Name   string
	Type   VariableType
	Secret bool // it is in secrets, not in vars
}

// VariableType is what is known of a value before there is a call.
type VariableType int

// The types of variables. What nothing is known of can be of any type.
const (
	AnyType VariableType = iota
	TextType
	NumberType
	TruthType
)

// Quiet is a node in which a caller whose call is answered may hear nothing for a
// time: at most so long, by its settings; 0 when there is always something to be heard.
// On a call that nobody has answered it rings meanwhile.
type Quiet interface{ Silence() time.Duration }

// Checker is a node that checks more than the types of its settings, once,
// while it is loaded. Settings that could not be read are left at their
// defaults; problems with them are not reported again.
type Checker interface{ Check(c *Check) }

// Exiter is a node whose exits depend on its settings: they are added to those of its kind.
type Exiter interface{ Exits() []string }

// OpenExiter is a node that has further exits as soon as somebody wires them, such
// as the digits of a menu. ExitForm says which, for people.
type OpenExiter interface {
	Accepts(exit string) bool
	ExitForm() string
}

// ErrorExit is the exit of every kind for a fault inside the node.
const ErrorExit = "error"

// NextExit is the name of the exit of kinds that have only one.
const NextExit = "next"

// elseExit wires every exit that is not named.
const elseExit = "else"
