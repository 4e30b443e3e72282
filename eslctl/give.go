package eslctl

import (
	"context"
	"fmt"
	"strings"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/crash"
)

// LastResort gives the call to the dialplan's last resort; the verbs can do no
// more. The reason is left on the channel for the switch's own log.
func (l *Leg) LastResort(ctx context.Context, why string) error {
	to := call.Extension{Number: l.settings.LastResort}
	return l.give(ctx, to, ";hookswitch_refused="+strings.ReplaceAll(call.Speakable(why), ";", ","))
}

// Transfer gives the call to an extension of the dialplan, in the context that
// the call came in by where it names none; the verbs can do no more. The
// connection stays and sees the call out.
//
// Should the dialplan lead the call to a Server again, that one's Leg finds the
// checkpoint as ever, the number that the call then has, and one transfer more.
func (l *Leg) Transfer(ctx context.Context, to call.Extension) error {
	to, err := call.NewExtension(to.Number, to.Context)
	if err != nil {
		return err
	}
	if to.Number[0] == '-' { // -bleg and -both mean other legs (mod_commands.c, transfer_function)
		return fmt.Errorf("extension %q begins with -", to.Number)
	}
	return l.give(ctx, to, "")
}

// give transfers the call. Until the second command the call is ours: should we
// die between the two, the next turn of the dialplan connects again, and the
// checkpoint says where.
func (l *Leg) give(ctx context.Context, to call.Extension, vars string) error {
	if to.Context == "" {
		to.Context = l.context
	}
	// With resume on, the transfer is cut off when this connection ends.
	if err := l.set(ctx, "socket_resume=false;sensitive_dtmf="+vars); err != nil {
		return err
	}
	crash.At("transfer.set")
	_, err := l.api(ctx, "uuid_transfer", l.call.ID+" "+to.Number+" XML "+to.Context)
	l.given = err == nil
	return l.gone(ctx, err)
}
