package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/portal"
	"github.com/hookswitch/hookswitch/webhooks/incoming"
)

// api returns what is served at the address of the setting api.
func (srv *server) api() http.Handler {
	mux := http.NewServeMux()
	hooks := srv.webhooks()
	for _, kind := range flowengine.Operations {
		mux.Handle(incoming.Path(kind), hooks)
	}
	mux.Handle("/", srv.portal()) // which also says of what there is not that it is not there
	return forwarded(srv.settings.APIProxies, mux)
}

// portal is the API.
func (srv *server) portal() http.Handler {
	return portal.New(portal.Options{Store: srv.db, Secrets: srv.credentials, InForce: srv.config.current, Folder: srv.settings.ConfigDir != "",
		Received: srv.inbox.wake, Log: srv.log, Version: version})
}

// webhooks takes in what other systems post.
func (srv *server) webhooks() http.Handler {
	said := complaints{}
	return incoming.New(incoming.Options{Inputs: srv.db, Keys: srv.db, Monitor: srv.db, Current: srv.config.current, Received: srv.inbox.wake,
		Problem: func(err error) {
			if said.first("", "", err.Error()) {
				srv.log.Error().Err(err).Msg("a request to an incoming webhook met a fault")
			}
		}})
}

// listenAPI listens at the address of the setting api; nil where there is none.
func listenAPI(s *settings) (net.Listener, error) {
	if s.API == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", s.API)
	if err != nil {
		return nil, fmt.Errorf("setting api: %w", err)
	}
	return &crowd{Listener: l}, nil
}

// serveAPI serves the API until ctx ends.
func (srv *server) serveAPI(ctx context.Context, l net.Listener) error {
	srv.log.Info().Str("api", l.Addr().String()).Msg("taking requests")
	return serveHTTP(ctx, l, srv.api())
}

// maxConnections bounds those to the API: each is a file, and calls need files too.
const maxConnections = 1000

// crowd is a listener that closes at once what comes above maxConnections.
type crowd struct {
	net.Listener
	inside atomic.Int64
}

// Accept returns the next connection that there is room for.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c.inside.Add(1) <= maxConnections {
			return &guest{Conn: conn, left: sync.OnceFunc(func() { c.inside.Add(-1) })}, nil
		}
		c.inside.Add(-1)
		conn.Close()
	}
}

// guest is a connection that is counted.
type guest struct {
	net.Conn
	left func()
}

// Close closes the connection, and makes room.
func (g *guest) Close() error {
	g.left()
	return g.Conn.Close()
}
