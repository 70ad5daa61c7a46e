package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"presfed/agents/internal/wire"
)

// admin is what operators ask by HTTP: metrics, health, profiles.
type admin struct {
	listener net.Listener
	metrics  *metrics
}

// openAdmin listens, if that is asked for, and has the tap count.
func (s *Server) openAdmin() error {
	if !s.cfg.Admin.IsValid() {
		return nil
	}
	if !s.cfg.Admin.Addr().IsLoopback() {
		return &InputError{
			What: fmt.Sprintf("metrics and health are for loopback addresses only, and %s is none", s.cfg.Admin),
			Hint: "listen on 127.0.0.1, and let a proxy of yours carry it further",
		}
	}
	l, err := net.Listen("tcp", s.cfg.Admin.String())
	if err != nil {
		return err
	}
	s.admin = &admin{listener: l, metrics: newMetrics()}
	next := s.cfg.Tap
	s.cfg.Tap = func(r wire.Record) {
		s.admin.metrics.tap(r)
		if next != nil {
			next(r)
		}
	}
	return nil
}

// AdminAddr is where metrics and health are; zero where they are not.
func (s *Server) AdminAddr() netip.AddrPort {
	if s.admin == nil {
		return netip.AddrPort{}
	}
	return s.admin.listener.Addr().(*net.TCPAddr).AddrPort()
}

// runAdmin serves until ctx ends.
func (s *Server) runAdmin(ctx context.Context) error {
	if s.admin == nil {
		return nil
	}
	s.admin.metrics.measure(s)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.admin.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", s.serveHealth)
	if s.cfg.Profile {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer stop()
	if err := web.Serve(s.admin.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics and health: %w", err)
	}
	return nil
}

// serveHealth says ok, or 503 and what is wrong. A server whose directory is
// gone goes on with what it knows, one whose state cannot be written with what
// changes nothing, and says so here.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if h := s.locate.Health(); !h.Reachable {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "directory: unreachable since %s: %v\n", h.Since.Format(time.RFC3339), h.Error)
		return
	}
	if err := s.store.Failing(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "state: not written: %v\n", err)
		return
	}
	fmt.Fprintln(w, "ok")
}
