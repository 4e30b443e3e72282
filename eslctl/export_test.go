package eslctl

import (
	"context"
	"time"
)

// Execute runs an application and returns the result of a dial attempt, where
// it was one.
func (l *Leg) Execute(ctx context.Context, app, arg string) (response string, err error) {
	err = l.execute(ctx, app, arg, time.Hour, func(ev Event) {
		response = ev.Get("Application-Response")
		if r, begun := bridgeResult(ev); begun && app == "bridge" {
			response = string(r.Outcome) + " " + string(r.Cause)
		}
	})
	return response, err
}
