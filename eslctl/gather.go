package eslctl

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/crash"
)

// noDigits unsets the results of play_and_get_digits: old ones survive a try
// that sets none of them (seen on 1.11.1).
const noDigits = ";" + varDigits + "=;read_result=;read_terminator_used="

// Gather plays a prompt and collects digits. What it returns is what was
// pressed, even when that is too little.
//
// Secret digits are in no log line, DTMF event or digits_dialed, because they
// are flagged as they come in (switch_channel.c, switch_channel_queue_dtmf), and
// so is what is pressed until the next Save or Gather, and after a takeover until
// the second Save: a secret may still be pressed then. The variable that holds
// them is unset by a command that waits in the switch before the first digit is
// pressed: it runs also when the caller has hung up or we are dead, before the
// last event and the CDR (unset may run on a channel that is down:
// mod_dptools.c, SAF_ZOMBIE_EXEC). Of the switch's events only the completion
// of play_and_get_digits and the begin of that unset hold the digits.
func (l *Leg) Gather(ctx context.Context, g call.Gather) (call.Digits, error) {
	sensitive := ";sensitive_dtmf="
	if g.Secret {
		sensitive += "true"
	}
	if !l.blank || g.Secret != l.secret {
		if err := l.set(ctx, noDigits[1:]+sensitive); err != nil {
			return call.Digits{}, err
		}
	}
	l.blank, l.secret = false, g.Secret
	var digits call.Digits
	asked, err := l.start(ctx, "play_and_get_digits", gather(g), func(ev Event) {
		digits = call.Digits{Value: ev.Var(varDigits), Terminator: ev.Var("read_terminator_used")}
	})
	if err != nil {
		return call.Digits{}, err
	}
	defer l.forget(asked)
	limit := playLimit + g.Timeout + time.Duration(g.Max)*g.Between
	if !g.Secret {
		if err := l.await(ctx, asked, limit); err != nil {
			return call.Digits{}, err
		}
		return digits, nil
	}
	wiped, err := l.start(ctx, "unset", varDigits, unread)
	if err != nil {
		return call.Digits{}, err
	}
	defer l.forget(wiped)
	if err := l.await(ctx, asked, limit); err != nil {
		return call.Digits{}, err
	}
	crash.At("gather.secret")
	return digits, l.await(ctx, wiped, shortLimit)
}
