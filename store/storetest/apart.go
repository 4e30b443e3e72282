package storetest

import (
	"context"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// What follows is for whoever adds a method to store.Store: a line in apart or in
// ofTheNode; and where the method keeps something of a new kind, a line in populate and
// one in views.

// apart calls each method that concerns the data of an organization, as that organization,
// with the ids of what populate has written for acme.
var apart = map[string]func(ctx context.Context, s store.Store, org string) (any, error){
	"Append": func(ctx context.Context, s store.Store, org string) (any, error) {
		events := story(org, "call of acme", "n7", 3, began, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": "by", "value": org}})
		b := (&journal{id: "journal of n7", node: "n7"}).batch(began, events...)
		if err := s.Append(ctx, b); err != nil {
			return nil, err
		}
		return s.Call(ctx, org, "call of acme")
	},
	"Search": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Search(ctx, org, store.Query{Caller: "+13105550111"})
	},
	"Call": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Call(ctx, org, "call of a")
	},
	"Prune": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Prune(ctx, org, began.AddDate(1, 0, 0), 100)
	},
	"Apply": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Apply(ctx, []store.Change{full(org, 1, "2")})
	},
	"Revision": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Revision(ctx, org, 1)
	},
	"Revisions": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Revisions(ctx, org, store.RevisionPage{})
	},
	"Entities": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Entities(ctx, org)
	},
	"FlowVersions": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.FlowVersions(ctx, org, "main")
	},
	"FlowVersion": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.FlowVersion(ctx, org, "main", "0000000000000001")
	},
	"Usage": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Usage(ctx, []call.Claim{claimOf(org, "another call", "leg of acme")})
	},
	"Reserve": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Reserve(ctx, []call.Claim{claimOf(org, "call of acme", "another leg")})
	},
	"Post": func(ctx context.Context, s store.Store, org string) (any, error) {
		if err := s.Post(ctx, []store.Entry{{What: store.Released, Claim: claimOf(org, "call of acme", "leg of acme")}}); err != nil {
			return nil, err
		}
		return s.Usage(ctx, []call.Claim{claimOf(org, "another call", "")})
	},
	"Receive": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Receive(ctx, org, to("call of acme", input("another input", tagging("by", org))))
	},
	"Join": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Join(ctx, org, "live call of acme", joiner)
	},
	"Turns": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Turns(ctx, []store.TurnKey{{Org: org, Key: "sales"}})
	},
	"AddKey": func(ctx context.Context, s store.Store, org string) (any, error) {
		if err := s.AddKey(ctx, org, keyOf(org, "another")); err != nil {
			return nil, err
		}
		return s.Keys(ctx, org)
	},
	"Keys": func(ctx context.Context, s store.Store, org string) (any, error) { return s.Keys(ctx, org) },
	"RevokeKey": func(ctx context.Context, s store.Store, org string) (any, error) {
		return nil, s.RevokeKey(ctx, org, "key of acme", began)
	},
	"UsedKey": func(ctx context.Context, s store.Store, org string) (any, error) {
		if err := s.UsedKey(ctx, org, "key of acme", began, "192.0.2.7"); err != nil {
			return nil, err
		}
		return s.Keys(ctx, org)
	},
	"AddSecret": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.AddSecret(ctx, org, secretOf("another"), began, true)
	},
	"Secrets": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Secrets(ctx, org, "endpoint/crm", began)
	},
	"SecretNames": func(ctx context.Context, s store.Store, org string) (any, error) { return s.SecretNames(ctx, org) },
	"RemoveSecrets": func(ctx context.Context, s store.Store, org string) (any, error) {
		return nil, s.RemoveSecrets(ctx, org, "endpoint/crm")
	},
	"KeepRequest": func(ctx context.Context, s store.Store, org string) (any, error) {
		if _, err := s.KeepRequest(ctx, org, requestOf(began.Add(time.Hour))); err != nil {
			return nil, err
		}
		page, err := s.Requests(ctx, org, store.RequestQuery{})
		for i := range page.Requests {
			page.Requests[i].N = 0 // numbers are those of all organizations
		}
		return page, err
	},
	"Requests": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Requests(ctx, org, store.RequestQuery{Caller: "15550100"})
	},
	"Request": func(ctx context.Context, s store.Store, org string) (any, error) { return s.Request(ctx, org, 1) },
	"Send": func(ctx context.Context, s store.Store, org string) (any, error) {
		if err := s.Send(ctx, store.Message{Org: org, ID: "message of acme", Call: "call of acme", Type: "t", Time: began, To: []string{"crm"}}); err != nil {
			return nil, err
		}
		lanes, err := s.Lanes(ctx, org)
		for i := range lanes {
			lanes[i].Oldest = nil
		}
		return lanes, err
	},
	"Claim": func(ctx context.Context, s store.Store, org string) (any, error) {
		got, err := s.Claim(ctx, store.Claiming{Node: "n1", Lease: time.Hour, Lanes: map[store.LaneName]int{{Org: org, Endpoint: "crm"}: 9}, Limit: 9})
		return len(got.Deliveries), err
	},
	"Finish": func(ctx context.Context, s store.Store, org string) (any, error) {
		lease := store.Lease{Org: org, N: 3, Token: 1}
		stale, err := s.Finish(ctx, []store.Attempt{{Lease: lease, Endpoint: "leased", Try: 1, At: began.Add(time.Hour), State: store.Delivered}})
		return len(stale), err
	},
	"Extend": func(ctx context.Context, s store.Store, org string) (any, error) {
		if err := s.Extend(ctx, "n1", 0, []store.Lease{{Org: org, N: 3, Token: 1}}); err != nil {
			return nil, err
		}
		got, err := s.Claim(ctx, store.Claiming{Node: "n2", Lease: time.Hour, Lanes: map[store.LaneName]int{{Org: "acme", Endpoint: "leased"}: 9}, Limit: 9})
		return len(got.Deliveries), err
	},
	"Resend": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Resend(ctx, org, store.Resending{Call: "call of acme"})
	},
	"Deliveries": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Deliveries(ctx, org, store.DeliveryQuery{Call: "call of acme"})
	},
	"Delivery": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Delivery(ctx, org, 1)
	},
	"Lanes": func(ctx context.Context, s store.Store, org string) (any, error) { return s.Lanes(ctx, org) },
	"Disable": func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Disable(ctx, org, "broken", "by "+org)
	},
	"Enable": func(ctx context.Context, s store.Store, org string) (any, error) {
		if err := s.Enable(ctx, org, "broken"); err != nil {
			return nil, err
		}
		return s.Lanes(ctx, org)
	},
}

// keyOf is a key of an organization.
func keyOf(org, id string) store.Key {
	return store.Key{ID: id, Name: "CRM", Hash: store.Hash([]byte(org + id)), Scopes: []string{"calls:read"}, Created: began, By: "ann"}
}

// secretOf is a secret of the endpoint crm, which is sealed with some key.
func secretOf(sealed string) store.Secret {
	return store.Secret{Name: "endpoint/crm", Sealed: []byte(sealed), KeyID: "k1", Created: began}
}

// requestOf is a request that came at some moment.
func requestOf(at time.Time) store.Request {
	return store.Request{Webhook: "leads", Kind: "call-data", At: at, Took: 3 * time.Millisecond, From: "192.0.2.1", KeyID: "k1",
		Request: store.HTTP{Method: "POST", URL: "/call-data", Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(`{"state":"TX"}`)},
		Status:  200, Answer: []byte(`{"ok":true}`), Call: "c1", Caller: "+15550100"}
}

// joiner calls with something waiting for him.
const joiner = "+13105550199"

// claimOf is the claim of a call of an organization for a target that both have.
func claimOf(org, id, leg string) call.Claim {
	return call.Claim{Org: org, Target: "alice", Call: id, Leg: leg, Caller: "15550100", At: began,
		Limits: call.Limits{Total: 1, Within: time.Hour, Of: call.OfTarget}}
}

// ofTheNode are the methods that concern no organization, and why.
var ofTheNode = map[string]string{
	"Organizations": "it lists who has calls, for those who administer the node",
	"Current":       "servers ask for the revisions of all organizations at once, whose calls they take",
	"FlowBundle":    "calls go on in a version, which is a hash of all that the flow does: who knows it has seen the flow",
	"Position":      "a journal holds the calls of all organizations; the answer is a place in it",
	"Journals":      "as Position",
	"Settle":        "it marks calls by what was read of the journals, whoever they belong to, and returns counts",
	"Slots":         "it lists what switches are asked for, whoever it belongs to",
	"Beat":          "it is about the nodes",
	"Publish":       "it names who decides what is told of the calls of all organizations",
	"Forsake":       "it is about the leases of a node",
	"PruneOutbox":   "it removes by age alone",
	"FindKey":       "it says whose the key is: who knows its hash has the key",
	"PruneRequests": "it removes by age alone",
	"PruneShared":   "it removes by age alone",
	"Arrivals":      "nodes ask for the inputs of all calls at once, and apply them to those that they control, by organization",
	"Conclude":      "it applies what each organization has sent for its own calls, and returns a count",
	"Ping":          "it is about the database",
	"Close":         "it is about the database",
}

// populate writes something of every kind for an organization.
func populate(t testing.TB, s store.Store, org string) {
	events := simple(org, "call of "+org, began)
	events = append(events[:3:3], call.Event{Org: org, Call: events[0].Call, Epoch: 1, Seq: 4, Node: "n1", Time: began, Type: call.Tagged,
		Attrs: map[string]string{"tag": "of", "value": org}}, events[3])
	events[4].Seq = 5
	j := newJournal(t, s, "n1")
	j.id += " of " + org
	j.send(began.Add(time.Hour), events...)
	for _, in := range []store.Input{
		to("call of "+org, input("sale of "+org, paying(store.Revenue, "40"), paying(store.Payout, "25.5"), converting(true), untagging("of"))),
		waiting("data of "+org, joiner, time.Now(), time.Hour, tagging("of", org)),
		waiting("more of "+org, "+13105550198", began, time.Hour, tagging("of", org)),
	} {
		in.Key = in.ID
		if _, err := s.Receive(t.Context(), org, in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Join(t.Context(), org, "live call of "+org, joiner); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), []store.Change{full(org, 0, "1")}); err != nil {
		t.Fatal(err)
	}
	c := claimOf(org, "call of "+org, "leg of "+org)
	if _, err := s.Reserve(t.Context(), []call.Claim{c}); err != nil {
		t.Fatal(err)
	}
	if err := s.Post(t.Context(), []store.Entry{{What: store.Connected, Claim: c}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Turns(t.Context(), []store.TurnKey{{Org: org, Key: "sales"}}); err != nil {
		t.Fatal(err)
	}
	populateOutbox(t, s, org)
	if err := s.AddKey(t.Context(), org, keyOf(org, "key of "+org)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddSecret(t.Context(), org, secretOf("sealed for "+org), began, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.KeepRequest(t.Context(), org, requestOf(began)); err != nil {
		t.Fatal(err)
	}
}

// views return all that an organization has, of every kind.
var views = []func(ctx context.Context, s store.Store, org string) (any, error){
	func(ctx context.Context, s store.Store, org string) (any, error) {
		page, err := s.Search(ctx, org, store.Query{})
		for i, c := range page.Calls {
			if page.Calls[i], err = s.Call(ctx, org, c.ID); err != nil {
				return nil, err
			}
		}
		return page.Calls, err
	},
	func(ctx context.Context, s store.Store, org string) (any, error) {
		revisions, err := s.Revisions(ctx, org, store.RevisionPage{})
		for i := range revisions {
			r, err := s.Revision(ctx, org, revisions[i].Number)
			if err != nil {
				return nil, err
			}
			revisions[i] = *r
		}
		return revisions, err
	},
	func(ctx context.Context, s store.Store, org string) (any, error) { return s.Entities(ctx, org) },
	func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.FlowVersions(ctx, org, "main")
	},
	func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Usage(ctx, []call.Claim{claimOf(org, "another call", "")})
	},
	func(ctx context.Context, s store.Store, org string) (any, error) { return s.Keys(ctx, org) },
	func(ctx context.Context, s store.Store, org string) (any, error) {
		names, err := s.SecretNames(ctx, org)
		var all []store.Secret
		for _, name := range names {
			secrets, err := s.Secrets(ctx, org, name, began)
			if err != nil {
				return nil, err
			}
			all = append(all, secrets...)
		}
		return all, err
	},
	func(ctx context.Context, s store.Store, org string) (any, error) {
		page, err := s.Requests(ctx, org, store.RequestQuery{})
		for i, r := range page.Requests {
			r, err := s.Request(ctx, org, r.N)
			if err != nil {
				return nil, err
			}
			page.Requests[i] = *r
		}
		return page.Requests, err
	},
	func(ctx context.Context, s store.Store, org string) (any, error) {
		return s.Join(ctx, org, "live call of "+org, "")
	},
	func(ctx context.Context, s store.Store, org string) (any, error) { return s.Lanes(ctx, org) },
	func(ctx context.Context, s store.Store, org string) (any, error) {
		page, err := s.Deliveries(ctx, org, store.DeliveryQuery{})
		for i, d := range page.Deliveries {
			whole, err := s.Delivery(ctx, org, d.ID)
			if err != nil {
				return nil, err
			}
			page.Deliveries[i] = *whole
		}
		return page.Deliveries, err
	},
}

// populateOutbox writes deliveries that are done, that will be tried again, that are under way and
// that wait: the numbers of acme's are 1, 2, 3 and 4 where it is the first.
func populateOutbox(t testing.TB, s store.Store, org string) {
	if _, err := s.Disable(t.Context(), org, "broken", "it is gone"); err != nil {
		t.Fatal(err)
	}
	for _, endpoint := range []string{"done", "failing", "leased", "crm"} {
		if err := s.Send(t.Context(), store.Message{Org: org, ID: endpoint, Call: "call of " + org, Type: "call.ended", Time: began, Body: []byte("{}"), To: []string{endpoint}}); err != nil {
			t.Fatal(err)
		}
		if endpoint == "crm" {
			return
		}
		got, err := s.Claim(t.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: map[store.LaneName]int{{Org: org, Endpoint: endpoint}: 1}, Limit: 1})
		if err != nil || len(got.Deliveries) != 1 {
			t.Fatalf("%+v %v", got, err)
		}
		a := store.Attempt{Lease: got.Deliveries[0].Lease, Endpoint: endpoint, Try: 1, Node: "n1", At: began, Response: store.HTTP{Status: 200}, State: store.Delivered}
		if endpoint == "failing" {
			a.State, a.Due, a.Error = store.Pending, began.AddDate(100, 0, 0), "refused"
		}
		if endpoint == "leased" {
			continue
		}
		if _, err := s.Finish(t.Context(), []store.Attempt{a}); err != nil {
			t.Fatal(err)
		}
	}
}

// RunApart tests that organizations are apart: whatever one of them asks for by the ids
// of another, it is answered as if the other were not there, and the other keeps what it
// has. Each method of store.Store must be known to it. Open opens an empty store, which
// is closed with the test.
func RunApart(t *testing.T, open func(testing.TB) store.Store) {
	methods := reflect.TypeFor[store.Store]()
	var names []string
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		names = append(names, name)
		if (apart[name] == nil) == (ofTheNode[name] == "") {
			t.Errorf("method %s must be either in apart or in ofTheNode, see store/storetest/apart.go", name)
		}
	}
	for name := range ofTheNode {
		if !slices.Contains(names, name) {
			t.Errorf("there is no method %s any more", name)
		}
	}
	for name, ask := range apart {
		if !slices.Contains(names, name) {
			t.Errorf("there is no method %s any more", name)
		}
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			nothing := answer(ask(ctx, open(t), "other"))
			s := open(t)
			populate(t, s, "acme")
			before := everything(t, s, "acme")
			if got := answer(ask(ctx, s, "other")); got != nothing {
				t.Errorf("the other organization is told %s\nwhere nobody has anything it is told %s", got, nothing)
			}
			if after := everything(t, s, "acme"); after != before {
				t.Errorf("the other organization made of\n%s\nthis:\n%s", before, after)
			}
			// That the owner is answered differently shows that the question could have hit.
			if got := answer(ask(ctx, s, "acme")); got == nothing {
				t.Errorf("the owner is told %s as well", got)
			}
		})
	}
	t.Run("with the same names", func(t *testing.T) { apartByName(t, open) })
}

// apartByName tests that who has the same names as another is answered as if it were alone,
// and the other keeps what it has.
func apartByName(t *testing.T, open func(testing.TB) store.Store) {
	ctx, alone, both := t.Context(), open(t), open(t)
	populate(t, alone, "other")
	populate(t, both, "other") // first, so that it has the same numbers
	populate(t, both, "acme")
	before := everything(t, both, "acme")
	for _, name := range slices.Sorted(maps.Keys(apart)) {
		got, want := answer(apart[name](ctx, both, "other")), answer(apart[name](ctx, alone, "other"))
		if got, want = byChance.ReplaceAllString(got, ""), byChance.ReplaceAllString(want, ""); got != want {
			t.Errorf("%s: beside another it is told %s\nalone it is told %s", name, got, want)
		}
		if after := everything(t, both, "acme"); after != before {
			t.Fatalf("%s made of\n%s\nthis:\n%s", name, before, after)
		}
	}
}

// byChance are the times and ids that a store makes up, and numbers that all share.
var byChance = regexp.MustCompile(`"id":[0-9]+|"[0-9-]{10}T[0-9:.]+Z"|"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)

// answer is what a method has returned, as text.
func answer(v any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return text(v)
}

func everything(t testing.TB, s store.Store, org string) (all string) {
	t.Helper()
	for _, view := range views {
		v, err := view(t.Context(), s, org)
		if err != nil {
			t.Fatal(err)
		}
		all += text(v) + "\n"
	}
	return all
}
