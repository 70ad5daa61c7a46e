package calendar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Source is where calendars come from. It remembers what it has read, so that
// what has not changed is not fetched again; it is for one caller at a time.
type Source interface {
	// Fetch gives all calendars that have something to say about a span of time,
	// and may have more.
	Fetch(ctx context.Context, from, until time.Time) ([]Text, error)
	// Every is how often to look for changes.
	Every() time.Duration
	// String names the source, without credentials.
	String() string
}

// Text is a calendar as it was read. Data does not change.
type Text struct {
	Name string // of its file, or its URL
	Data []byte
}

// Access is what reaching calendars on the web takes.
type Access struct {
	User, Password string        // HTTP Basic; empty: none
	Client         *http.Client  // its transport and time-out; nil: one of our own
	Refresh        time.Duration // how often URLs are asked for changes; 0: a minute
}

// The ways in which a source says no.
var (
	ErrUnauthorized = errors.New("the calendar server does not accept the credentials, or wants some")
	ErrStatus       = errors.New("the calendar server refuses")
	ErrNoCalendar   = errors.New("the server has no calendar")
	ErrSecret       = errors.New("a password in a URL is seen by everybody on the machine")
)

// maxBytes bounds what one source gives.
const maxBytes = 16 << 20

// Open makes a source of what a person names: a file, a folder of .ics files, an
// http or https URL, of a calendar or a CalDAV server, or a caldav or caldavs one.
// It does not reach for what a URL names: Fetch does.
func Open(name string, a Access) (Source, error) {
	scheme, _, isURL := strings.Cut(name, "://")
	if !isURL {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			return &folder{path: name, files: map[string]*file{}}, nil
		}
		return &file{path: name}, nil
	}
	u, err := url.Parse(name)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is no URL", name)
	}
	if _, secret := u.User.Password(); secret {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), ErrSecret)
	}
	if u.User != nil && a.User == "" {
		a.User = u.User.Username()
	}
	u.User = nil
	switch strings.ToLower(scheme) {
	case "http", "https":
		return &web{url: u, access: a}, nil
	case "webcal":
		u.Scheme = "https"
		return &web{url: u, access: a}, nil
	case "caldav", "caldavs":
		u.Scheme = map[string]string{"caldav": "http", "caldavs": "https"}[strings.ToLower(scheme)]
		return &web{url: u, access: a, dav: &dav{}}, nil
	}
	return nil, fmt.Errorf("%q: want a file, a folder, or a URL with http, https, webcal, caldav or caldavs", name)
}

// file is one file.
type file struct {
	path string
	info os.FileInfo // of what was read
	data []byte
}

func (f *file) String() string       { return f.path }
func (f *file) Every() time.Duration { return time.Second }

func (f *file) Fetch(context.Context, time.Time, time.Time) ([]Text, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxBytes {
		return nil, fmt.Errorf("%s: larger than %d bytes", f.path, maxBytes)
	}
	// What was written as it was read may have this very time, and is read again.
	same := f.info != nil && os.SameFile(f.info, info) && f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime())
	young := time.Since(info.ModTime()).Abs() < 2*time.Second
	if !same || young {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return nil, err
		}
		if whole := bytes.HasSuffix(bytes.TrimSpace(data), []byte("END:VCALENDAR")); whole || !young || f.data == nil {
			f.info, f.data = info, data // else it is being written
		}
	}
	return []Text{{f.path, f.data}}, nil
}

// folder is every .ics file in a folder.
type folder struct {
	path  string
	files map[string]*file
}

func (f *folder) String() string       { return f.path }
func (f *folder) Every() time.Duration { return time.Second }

func (f *folder) Fetch(ctx context.Context, from, until time.Time) (all []Text, err error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, err
	}
	total := 0
	here := map[string]*file{}
	for _, e := range entries {
		if !strings.EqualFold(filepath.Ext(e.Name()), ".ics") || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		one := f.files[e.Name()]
		if one == nil {
			one = &file{path: filepath.Join(f.path, e.Name())}
		}
		texts, err := one.Fetch(ctx, from, until)
		if errors.Is(err, os.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			return nil, err
		}
		if total += len(one.data); total > maxBytes {
			return nil, fmt.Errorf("%s: its calendars are larger than %d bytes", f.path, maxBytes)
		}
		here[e.Name()] = one
		all = append(all, texts...)
	}
	f.files = here
	return all, nil
}
