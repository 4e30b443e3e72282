package main

import (
	"io"
	"time"

	"github.com/rs/zerolog"
)

// newLog returns the server's log. One line is written where something enters
// or leaves the process, with the id of the call where there is one.
func newLog(w io.Writer, s logSettings, node string) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(s.Level)
	if err != nil {
		return zerolog.Logger{}, err
	}
	if s.Format == "console" {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !bool(painterFor(w)), TimeFormat: time.TimeOnly}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Str("node", node).Logger(), nil
}
