package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
	"github.com/hookswitch/hookswitch/webhooks/delivery"
	"github.com/hookswitch/hookswitch/webhooks/events"
)

func newWebhooksTest() *cobra.Command {
	var typ string
	cmd := &cobra.Command{
		Use:   "test ENDPOINT",
		Short: "Sends a sample of an event to an endpoint, once, and prints request and answer",
		Long: "Sends a sample of an event to an endpoint, with the templates, the secrets and the signature of what is really\n" +
			"sent, from this machine and to where its settings allow. Of the sample, data.sample is true. It is sent once,\n" +
			"whatever the answer, and is not among the deliveries. Secrets are *** in what is printed.",
		Args: takes(1, 1, "an endpoint"),
	}
	format := outputFlag(cmd)
	cmd.Flags().StringVar(&typ, "event", "call.ended", "type of the event, or the name of one that flows emit")
	addSettingFlags(cmd.Flags(), "http_allow")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCredentials(cmd, func(s *settings, db store.Store, k *credentials.Keeper) error {
			org, err := configuredOrganization(cmd, s, db)
			if err != nil {
				return err
			}
			endpoint, err := endpointOf(org, args[0])
			if err != nil {
				return err
			}
			m, err := events.Sample(org.Name, typ, time.Now())
			if err != nil {
				return &usageError{fmt.Errorf("--event: %w", err)}
			}
			if err := tellUnwanted(cmd.ErrOrStderr(), endpoint, m); err != nil {
				return err
			}
			a, err := tryOut(cmd.Context(), s, &outgoing{endpoint, k}, m)
			if err != nil {
				return err
			}
			if endpoint.Standard() && a.Request.URL != "" { // an attempt does not repeat that body
				a.Request.Body = m.Body
			}
			if err := writeTried(cmd.OutOrStdout(), *format, a); err != nil {
				return err
			}
			if a.State != store.Delivered {
				return fmt.Errorf("%s did not take it: %s", endpoint.Name, cmp.Or(a.Error, answered(a.Response.Status)))
			}
			return nil
		})
	}
	return cmd
}

// tryOut sends a message as the server of some settings would.
func tryOut(ctx context.Context, s *settings, to *outgoing, m store.Message) (store.Attempt, error) {
	client := newRequests(s)
	defer client.Close()
	client.Cut, client.Final = true, true
	d := delivery.New(s.Node, nil, client)
	d.Secrets = to.secrets.For
	return d.Try(ctx, to, to.is.Name, m)
}

// tellUnwanted says that an endpoint is not told of such an event.
func tellUnwanted(out io.Writer, e *flowengine.Endpoint, m store.Message) error {
	about, err := events.Variables(m)
	if err != nil {
		return err
	}
	wants, err := e.Wants(m.Type, about)
	why := ""
	switch {
	case err != nil:
		why = fmt.Sprintf("its filter fails at this sample: %v", err)
	case !e.Enabled:
		why = "it is not enabled, and sent nothing but this sample"
	case !e.Hears(m.Type):
		why = fmt.Sprintf("its events do not name %s: it is sent none but this sample", m.Type)
	case !wants:
		why = "its filter keeps an event like this sample from it"
	default:
		return nil
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", e.Name, why)
	return err
}

// tried is an attempt as it is printed: with bodies as texts.
type tried struct {
	Request  triedHTTP `json:"request"`
	Response triedHTTP `json:"response"`
	Error    string    `json:"error,omitempty"`
	Took     float64   `json:"took_ms"`
}

type triedHTTP struct {
	store.HTTP
	Body string `json:"body,omitempty"`
}

func writeTried(out io.Writer, format output, a store.Attempt) error {
	if format == outputJSON {
		return json.NewEncoder(out).Encode(tried{triedHTTP{a.Request, string(a.Request.Body)}, triedHTTP{a.Response, string(a.Response.Body)},
			a.Error, float64(a.Took.Microseconds()) / 1000})
	}
	var b strings.Builder
	if a.Request.URL != "" {
		fmt.Fprintf(&b, "%s %s\n", a.Request.Method, plain(a.Request.URL))
		writeMessage(&b, a.Request.Header, a.Request.Body)
		b.WriteByte('\n')
	}
	if a.Response.Status == 0 {
		fmt.Fprintf(&b, "no answer in %s: %s\n", took(a.Took), plain(a.Error))
	} else {
		fmt.Fprintf(&b, "%s in %s\n", answered(a.Response.Status), took(a.Took))
		writeMessage(&b, a.Response.Header, a.Response.Body)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func took(d time.Duration) string { return d.Round(time.Millisecond).String() }

func answered(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// writeMessage prints headers and a body.
func writeMessage(b *strings.Builder, header map[string]string, body []byte) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(b, "%s: %s\n", plain(name), plain(header[name]))
	}
	if len(body) > 0 {
		b.WriteByte('\n')
	}
	for line := range strings.Lines(string(body)) {
		b.WriteString(plain(strings.TrimRight(line, "\r\n")) + "\n")
	}
}
