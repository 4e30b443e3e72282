package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// webhookSecret is the environment variable with a signing secret.
const webhookSecret = "HOOKSWITCH_WEBHOOK_SECRET"

func newWebhooksListen() *cobra.Command {
	var address, file, endpoint string
	wp := &webhookPrinter{}
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receives webhooks, verifies them, and prints them as they come",
		Long: "Receives webhooks at any path, says of each whether its signature holds or why not, prints it, and answers.\n" +
			"The secret is that of --endpoint in the database of the settings, or in --secret-file, or in the environment\n" +
			"as " + webhookSecret + ". Without one nothing is verified. A server sends to this machine only\n" +
			"if its setting http_allow says so.",
		Args: takes(0, 0, "no arguments"),
	}
	format := outputFlag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&address, "address", "127.0.0.1:9000", "where to listen")
	flags.StringVar(&file, "secret-file", "", "file with a signing secret; - is standard input")
	flags.StringVar(&endpoint, "endpoint", "", "endpoint whose secrets verify, also while they are changed")
	flags.IntVar(&wp.status, "status", http.StatusNoContent, "status that is answered")
	flags.DurationVar(&wp.delay, "delay", 0, "how long to wait before the answer")
	flags.BoolVar(&wp.pretty, "pretty", false, "print headers, and bodies over several lines")
	cmd.MarkFlagsMutuallyExclusive("secret-file", "endpoint")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if wp.status < 200 || wp.status > 599 {
			return &usageError{fmt.Errorf("--status: %d is not 200 to 599", wp.status)}
		}
		wp.format, wp.out, wp.paint = *format, cmd.OutOrStdout(), painterFor(cmd.OutOrStdout())
		listen := func() error { return wp.listen(cmd, address) }
		if endpoint == "" {
			secret, err := givenSecret(cmd, file)
			if err != nil {
				return err
			}
			if secret != nil {
				wp.secrets = func(*http.Request) ([]standard.Secret, error) { return []standard.Secret{*secret}, nil }
			}
			return listen()
		}
		return withCredentials(cmd, func(s *settings, db store.Store, k *credentials.Keeper) error {
			org, err := configuredOrganization(cmd, s, db)
			if err != nil {
				return err
			}
			if _, err := endpointOf(org, endpoint); err != nil {
				return err
			}
			wp.secrets = func(r *http.Request) ([]standard.Secret, error) { return k.For(r.Context(), org.Name, endpoint) }
			return listen()
		})
	}
	return cmd
}

// givenSecret reads the secret of a file, of the input for -, or of the environment; nil:
// there is none.
func givenSecret(cmd *cobra.Command, file string) (*standard.Secret, error) {
	text, where := os.Getenv(webhookSecret), webhookSecret
	switch file {
	case "":
	case "-":
		typed, err := readSecret(cmd, "signing secret: ")
		if err != nil {
			return nil, err
		}
		text, where = typed.Reveal(), "standard input"
	default:
		read, err := readPassword(file)
		if err != nil {
			return nil, fmt.Errorf("--secret-file: %w", err)
		}
		text, where = string(read), "--secret-file"
	}
	if text == "" && file == "" {
		return nil, nil
	}
	secret, err := standard.ParseSecret(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return &secret, nil
}

// Bounds of a request that is received.
const (
	headerLimit = 10 * time.Second
	bodyLimit   = 30 * time.Second
)

// listen serves until the command is to end, or nothing can be printed any more.
func (wp *webhookPrinter) listen(cmd *cobra.Command, address string) error {
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	wp.failed = func(err error) { cancel(err) }
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("--address: %w", err)
	}
	note := ""
	if wp.secrets == nil {
		note = ", verifying nothing: there is no secret"
	}
	if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "listening at http://%s%s\n", l.Addr(), note); err != nil {
		return errors.Join(err, l.Close())
	}
	server := &http.Server{Handler: wp, ReadHeaderTimeout: headerLimit, ReadTimeout: bodyLimit, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
