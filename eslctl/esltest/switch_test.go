package esltest_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

func TestCallRunsOutOfDialplanWhenNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw := esltest.NewSwitch()
		defer sw.Close()
		sw.Dialplan = esltest.Dialplan("10.0.0.1:8084|10.0.0.2", "10.0.0.1:8094", 3)
		var tried []string
		sw.Dial = func(_ context.Context, address string) (net.Conn, error) {
			tried = append(tried, address)
			return nil, net.ErrClosed
		}
		k := sw.Call(esltest.Caller{From: "+13105550100", Name: "Ann Caller", To: "+13105550142"})
		<-k.Done()
		r := k.Result()
		if r.Cause != "NORMAL_TEMPORARY_FAILURE" || r.Status != 503 || r.Ended.Sub(r.Started) != 1500*time.Millisecond {
			t.Errorf("result %+v", r)
		}
		if len(tried) != 6 || tried[1] != "10.0.0.2:8084" {
			t.Errorf("tried %q", tried)
		}
	})
}
