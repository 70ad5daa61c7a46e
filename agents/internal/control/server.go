package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"presfed/agents/internal/clock"
)

// Limits on what clients can hold.
const (
	maxConnections = 64
	maxPath        = 104 // the shortest sun_path among the systems we run on, less its NUL
	writeTimeout   = 30 * time.Second
	drainTimeout   = time.Second // for clients to take the last records
)

// Config is what a control socket is made of.
type Config struct {
	Path    string   // of the socket
	Journal *Journal // the role's wire records; closed when Run ends
	// Command runs one line and returns what is to be encoded as the answer. Its
	// context ends with Run. Commands of one connection run one after another.
	Command func(ctx context.Context, line string) (any, error)
	Stop    func()       // begins the role's clean end; must not block
	Clock   clock.Clock  // nil: the system's
	Log     *slog.Logger // nil: none
}

// Server is the role's end of its control socket.
type Server struct {
	cfg      Config
	listener *net.UnixListener
	ready    chan struct{} // closed when info is set
	once     sync.Once
	info     Info

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	ended bool
}

// NewServer listens on the socket, for its owner only. A socket that a dead
// role left behind is taken over; one that answers is syscall.EADDRINUSE. The
// caller must call Run, or Close.
func NewServer(cfg Config) (*Server, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if len(cfg.Path) >= maxPath {
		return nil, fmt.Errorf("control socket %s: the path has %d bytes, want less than %d", cfg.Path, len(cfg.Path), maxPath)
	}
	addr := &net.UnixAddr{Name: cfg.Path, Net: "unix"}
	l, err := net.ListenUnix("unix", addr)
	if errors.Is(err, syscall.EADDRINUSE) && isStale(cfg.Path) {
		if err := os.Remove(cfg.Path); err != nil {
			return nil, err
		}
		l, err = net.ListenUnix("unix", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(cfg.Path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Server{cfg: cfg, listener: l, ready: make(chan struct{}), conns: map[net.Conn]struct{}{}}, nil
}

// isStale says whether path is a socket that nobody listens on.
func isStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return false
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// SetReady says that the role is ready. Only the first call counts.
func (s *Server) SetReady(info Info) {
	s.once.Do(func() {
		s.info = info
		close(s.ready)
	})
}

// Close frees the socket of a server that does not run.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx ends; it should end last in a role, so that the records
// of its clean end are seen. Then it closes the journal, gives clients a second
// to take what is left, and returns when all its goroutines have ended.
func (s *Server) Run(ctx context.Context) error {
	var sessions sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	defer stop()
	var failed error
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				failed = fmt.Errorf("control socket: %w", err)
			}
			break
		}
		if !s.admit(conn) {
			s.cfg.Log.Warn("control connection refused", "limit", maxConnections)
			_ = conn.Close()
			continue
		}
		sessions.Go(func() {
			defer s.release(conn)
			s.serve(ctx, conn)
		})
	}
	_ = s.listener.Close()
	s.cfg.Journal.Close()
	timer := s.cfg.Clock.AfterFunc(drainTimeout, s.closeAll)
	defer timer.Stop()
	sessions.Wait()
	return failed
}

func (s *Server) admit(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= maxConnections || s.ended {
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *Server) release(conn net.Conn) {
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	_ = conn.Close()
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for conn := range s.conns {
		_ = conn.Close()
	}
}
