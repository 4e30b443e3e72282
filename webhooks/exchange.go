package webhooks

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/hookswitch/hookswitch/call"
)

// exchange is one request under way.
type exchange struct {
	retry   bool
	final   bool
	maxBody int
	cut     bool
	pause   time.Duration // before the next try
	answer  call.Response // Tries counts up
}

// again says whether to try once more, and sets the pause before it
// (retryablehttp.CheckRetry: called after the header has come, and again after
// the body). It says no where the pause would outlast the time limit, which
// retryablehttp does not look at.
func (x *exchange) again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if !x.retry || x.answer.Tries == maxTries {
		return false, nil
	}
	if err != nil && final(plain(err)) || err == nil && (x.final || !slices.Contains(passing, resp.StatusCode)) {
		return false, nil
	}
	x.pause = retryablehttp.RateLimitLinearJitterBackoff(minPause, maxPause, x.answer.Tries-1, resp)
	end, _ := ctx.Deadline()
	if x.pause < 0 || x.pause >= time.Until(end) {
		return false, nil
	}
	if resp != nil {
		resp.Body.Close() // retryablehttp would read on, as slowly as it comes
	}
	return true, nil
}

// read takes the answer in.
func (x *exchange) read(resp *http.Response) error {
	defer resp.Body.Close()
	if len(resp.Header) > maxHeaders {
		return tooLarge(fmt.Sprintf("the answer has %d headers: at most %d", len(resp.Header), maxHeaders))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(x.maxBody)+1))
	if err != nil && !x.cut {
		return err
	}
	long := len(body) > x.maxBody
	if long && !x.cut {
		return tooLarge(fmt.Sprintf("the body of the answer is longer than %d bytes", x.maxBody))
	}
	header := make(map[string]string, len(resp.Header))
	for name, values := range resp.Header {
		header[name] = strings.Join(values, ", ")
	}
	x.answer.Status, x.answer.Header, x.answer.Body = resp.StatusCode, header, body[:min(len(body), x.maxBody)]
	x.answer.Cut = long || err != nil
	return nil
}
