package flowengine

import (
	"context"
	"maps"
	"strconv"

	"github.com/hookswitch/hookswitch/call"
)

// start begins a new call.
func (e *Engine) start(ctx context.Context, s *Session, c Control) error {
	s.opening = &call.Event{Type: call.Started, Attrs: s.call.Attrs()}
	if lost, err := call.ParseCheckpoint(c.Taken); err == nil { // before its first node
		put(s.opening.Attrs, "from_node", lost.Node)
	}
	b := e.Current().begin(c, &s.call)
	tags := maps.Clone(c.Tags)
	if org, ok := e.Current().Organization(b.org); ok {
		org.typeTags(tags)
	}
	s.tagged(tags)
	return e.begin(ctx, s, b)
}

// runs adds to what is told of the call what runs it.
func (s *Session) runs(attrs map[string]string) {
	main := s.main()
	put(attrs, "campaign", s.campaign)
	put(attrs, "publisher", s.publisher)
	if s.campaign != "" {
		attrs["mode"] = string(main.mode())
	}
	put(attrs, "plan", main.Plan())
	attrs["flow"], attrs["version"] = main.Name, main.Version
	maps.Copy(attrs, s.rules)
}

func put(attrs map[string]string, name, value string) {
	if value != "" {
		attrs[name] = value
	}
}

// begin enters the flow in which the call begins, or turns the call away.
func (e *Engine) begin(ctx context.Context, s *Session, b beginning) error {
	s.org, s.campaign, s.publisher, s.rules = b.org, "", b.publisher, nil
	if b.campaign != nil {
		s.campaign, s.rules = b.campaign.Name, b.campaign.rules()
	}
	attrs := s.opening.Attrs
	if b.flow == nil {
		put(attrs, "campaign", s.campaign)
		put(attrs, "publisher", s.publisher)
		return e.turnAway(ctx, s, b.cause, b.why)
	}
	s.flow, s.around = b.flow, nil
	s.describe()
	s.runs(attrs)
	if o := b.override; o != nil {
		attrs["override"] = o.String()
		attrs["override_priority"] = strconv.Itoa(o.Priority)
	}
	s.enter(b.flow.nodes[b.flow.Start])
	return nil
}

// turnAway ends a call that does not begin.
func (e *Engine) turnAway(ctx context.Context, s *Session, cause call.Cause, why string) error {
	if err := e.own(ctx, s, call.Checkpoint{}); err != nil {
		return err
	}
	s.tell(call.Event{Type: call.Failed, Why: why})
	return e.hangup(ctx, s, cause)
}

// beginning is where a call begins, or why it does not.
type beginning struct {
	org       string
	campaign  *Campaign // nil: none
	publisher string
	override  *Override // that replaced the plan; nil: none
	flow      *Flow     // nil: the call does not begin
	cause     call.Cause
	why       string
}

// begin finds out where a call begins: as its number says, unless the control does.
func (s *Snapshot) begin(c Control, is *call.Call) (b beginning) {
	r, known := s.Lookup(is.Number)
	org, ok := s.Organization(c.Org)
	switch named := c.Org != "" || c.Campaign != "" || c.Flow != ""; {
	case !named && !known:
		return beginning{cause: call.UnallocatedNumber, why: "number " + is.Number + " is not configured"}
	case c.Org == "" && known:
		org = r.Org
	case !ok:
		return beginning{cause: call.UnallocatedNumber, why: "there is no organization " + strconv.Quote(c.Org)}
	}
	b.org = org.Name
	if known && r.Org.Name == org.Name {
		b.campaign, b.publisher, b.flow = r.Campaign, r.Publisher, r.Flow
	}
	b.cause, b.why = call.UnallocatedNumber, "number "+is.Number+" is not configured"
	if c.Campaign != "" {
		b.flow, b.why = nil, "there is no campaign "+c.Campaign
		b.campaign, _ = org.Campaign(c.Campaign)
		if b.campaign != nil {
			b.flow = org.flows[b.campaign.runs()]
		}
	}
	switch {
	case c.Flow != "":
		b.flow, b.why = org.flows[c.Flow], "there is no flow "+c.Flow
	case b.campaign == nil:
	case !b.campaign.Enabled:
		b.flow, b.cause, b.why = nil, call.CallRejected, "campaign "+b.campaign.Name+" is disabled"
	default:
		b.why = "campaign " + b.campaign.Name + " has nothing to run"
		if b.override = b.campaign.override(is.Caller.Number, b.publisher); b.override != nil {
			b.flow = org.flows[planPrefix+b.override.Plan]
		}
	}
	return b
}

// mode returns the mode of campaigns that begin in the flow.
func (f *Flow) mode() Mode {
	if f.Plan() != "" {
		return PlanMode
	}
	return FlowMode
}

// describe makes of the campaign what expressions see.
func (s *Session) describe() {
	s.about = nil
	if s.campaign != "" {
		main := s.main()
		s.about = map[string]string{"name": s.campaign, "mode": string(main.mode()), "plan": main.Plan(), "publisher": s.publisher, "organization": s.org}
	}
}
