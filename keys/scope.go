package keys

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The scopes. One that begins with Incoming is that of a key of an incoming webhook, whose
// name follows.
const (
	ReadCalls     = "calls:read"
	WriteTags     = "tags:write"
	ReadConfig    = "config:read"
	WriteConfig   = "config:write"
	ReadWebhooks  = "webhooks:read"
	WriteWebhooks = "webhooks:write"
	WriteKeys     = "keys:write"
	Private       = "private"
	Incoming      = "incoming:"
)

// Scopes says what each lets its key do.
var Scopes = []struct{ Name, About string }{
	{ReadCalls, "read calls: records, timelines, tags, export"},
	{WriteTags, "write what calls have: tags, revenue, payout, conversion"},
	{ReadConfig, "read the configuration, its revisions and what it defines"},
	{WriteConfig, "apply a configuration, and take one back"},
	{ReadWebhooks, "read how endpoints do, what was sent to them, and what came in"},
	{WriteWebhooks, "send again, test, enable and disable endpoints; set secrets"},
	{WriteKeys, "list, make and revoke keys"},
	{Private, "see the values of tags whose privacy is private"},
	{Incoming + "NAME", "post to the incoming webhook NAME, and nothing else"},
}

// maxScopes bounds the scopes of a key.
const maxScopes = 20

var webhookName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// Check says why a key cannot have scopes. A key of incoming webhooks has no others: it
// stands in addresses that other systems keep.
func Check(scopes []string) error {
	if len(scopes) == 0 || len(scopes) > maxScopes {
		return fmt.Errorf("a key has 1 to %d scopes, this one %d; there are %s", maxScopes, len(scopes), names())
	}
	incoming := 0
	for i, scope := range scopes {
		webhook, in := strings.CutPrefix(scope, Incoming)
		switch {
		case in && !webhookName.MatchString(webhook):
			return fmt.Errorf("scope %.80q: behind %s the name of an incoming webhook", scope, Incoming)
		case !in && !slices.ContainsFunc(Scopes, func(s struct{ Name, About string }) bool { return s.Name == scope }):
			return fmt.Errorf("there is no scope %.80q; there are %s", scope, names())
		case slices.Contains(scopes[:i], scope):
			return fmt.Errorf("scope %s is there twice", scope)
		}
		if in {
			incoming++
		}
	}
	if incoming > 0 && incoming < len(scopes) {
		return fmt.Errorf("a key with a scope %sNAME can have no other scopes: make a second key", Incoming)
	}
	return nil
}

func names() string {
	list := make([]string, len(Scopes))
	for i, s := range Scopes {
		list[i] = s.Name
	}
	return strings.Join(list, ", ")
}

// Allows says whether scopes let a key do what needs one. A key that has a scope of an
// incoming webhook may do nothing else, whatever stands beside it.
func Allows(scopes []string, scope string) bool {
	return slices.Contains(scopes, scope) && (strings.HasPrefix(scope, Incoming) || !OfIncoming(scopes))
}

// OfIncoming says whether the scopes are those of a key of incoming webhooks.
func OfIncoming(scopes []string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return strings.HasPrefix(s, Incoming) })
}
