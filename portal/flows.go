package portal

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

func (p *Portal) flows() {
	register(p, operation{
		method: http.MethodGet, path: "/config/flows/{flow}/versions", id: "list-flow-versions", tag: tagConfig, scope: keys.ReadConfig, errors: []int{404},
		summary: "Lists the versions of a flow",
		about:   "Lists the versions of a flow, the one in force first, then the newest. Comments and order do not make a version.",
	}, p.listFlowVersions)
	register(p, operation{
		method: http.MethodGet, path: "/config/flows/{flow}/versions/{version}", id: "get-flow-version", tag: tagConfig, scope: keys.ReadConfig, errors: []int{404},
		summary: "Gets one version of a flow with its documents",
		about:   "Returns a version with its document, and behind it those of the flows and plans that it runs.",
	}, p.getFlowVersion)
	register(p, operation{
		method: http.MethodPost, path: "/config/flows/{flow}/versions/{version}/rollback", id: "rollback-flow", tag: tagConfig, scope: keys.WriteConfig, heavy: true, errors: []int{404, 409},
		summary: "Takes one flow back to an earlier version",
		about:   "Puts the document of a flow as it was into its file, as a new revision. All else stays to the byte.",
	}, p.rollbackFlow)
}

// FlowPath names a flow.
type FlowPath struct {
	Flow string `path:"flow" maxLength:"200" doc:"Name of the flow." example:"main-line"`
}

// FlowVersionPath names a version of a flow.
type FlowVersionPath struct {
	FlowPath
	Version string `path:"version" maxLength:"100" doc:"The version, whole." example:"3f2a91c0d4e5"`
}

func (p *Portal) listFlowVersions(ctx context.Context, in *FlowPath) (*answer[list[store.FlowVersion]], error) {
	found, err := p.Store.FlowVersions(ctx, org(ctx), in.Flow)
	if err == nil && len(found) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return listOf(found, ""), nil
}

// flowText is a version of a flow with its documents.
type flowText struct {
	store.FlowVersion
	Documents string `json:"documents" doc:"YAML: the flow, and behind it what it runs."`
}

// version returns a version that the organization has or had.
func (p *Portal) version(ctx context.Context, in FlowVersionPath) (*flowText, error) {
	v, err := p.Store.FlowVersion(ctx, org(ctx), in.Flow, in.Version)
	if err != nil {
		return nil, err
	}
	return &flowText{*v, v.Bundle}, nil
}

func (p *Portal) getFlowVersion(ctx context.Context, in *FlowVersionPath) (*answer[flowText], error) {
	v, err := p.version(ctx, *in)
	if err != nil {
		return nil, err
	}
	return &answer[flowText]{*v}, nil
}

func (p *Portal) rollbackFlow(ctx context.Context, in *struct {
	FlowVersionPath
	Body rollbackOrder
}) (*answer[applied], error) {
	v, err := p.version(ctx, in.FlowVersionPath)
	if err != nil {
		return nil, err
	}
	old, problems := flowengine.LoadFlow(v.Flow+"@"+v.Version, []byte(v.Documents), nodes.Kinds)
	if len(problems) > 0 {
		return nil, problem(http.StatusConflict, "this version is not valid any more: "+problems[0].String())
	}
	current, err := p.Store.Current(ctx)
	if err != nil {
		return nil, err
	}
	r, err := p.Store.Revision(ctx, org(ctx), current[org(ctx)])
	if err != nil {
		return nil, err
	}
	files, err := confdir.ReplaceFlow(r.Files, v.Flow, old.Source)
	if err != nil {
		return nil, problem(http.StatusConflict, err.Error()+" in the revision in force; a whole revision can be taken back")
	}
	base := in.Body.Base
	if base == nil {
		base = &r.Number
	}
	o := &confdir.Organization{Name: r.Org, Folder: r.Folder, Files: files}
	return p.apply(ctx, o, nil, base, cmp.Or(in.Body.Note, fmt.Sprintf("rollback of flow %s to version %s", v.Flow, v.Version)))
}
