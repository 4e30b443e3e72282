// Package nodes holds the kinds of nodes that a call flow is made of: one file
// a kind, and one table of all of them.
package nodes

import "github.com/hookswitch/hookswitch/flowengine"

// Kinds is the table of all kinds.
var Kinds = flowengine.Kinds{}
