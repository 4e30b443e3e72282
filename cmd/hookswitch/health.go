package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newHealth() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Says whether the server can take calls",
		Long: "Asks the server at the setting http whether it can take calls, as /readyz says it: for the health checks of\n" +
			"containers and supervisors. It fails with the reasons of those parts that are not ready.",
		Args: takes(0, 0, "no arguments"),
	}
	addSettingFlags(cmd.Flags(), "http")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := loadSettings(cmd)
		if err != nil {
			return err
		}
		if err := askReady(cmd.Context(), s.HTTP); err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "ready")
		return err
	}
	return cmd
}

// notReadyError is what a server that runs says of itself.
type notReadyError struct{ says string }

func (e *notReadyError) Error() string { return "the server is not ready: " + e.says }

// askReady asks a server whether it can take calls: *notReadyError if it says that it
// cannot. Its ports for calls are left alone: it would take a connection for a call
// that failed.
func askReady(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no server answers at %s (setting http): %w", address, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return &notReadyError{strings.TrimSpace(string(body))}
	}
	return nil
}
