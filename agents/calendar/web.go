package calendar

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// web is a calendar at a URL, or a CalDAV server: what it is, is found out when
// it is asked first.
type web struct {
	url    *url.URL
	access Access
	asked  bool // what it is
	dav    *dav // nil: a calendar

	etag, modified string // of data
	data           []byte
}

func (w *web) String() string       { return w.url.Redacted() }
func (w *web) Every() time.Duration { return cmp.Or(w.access.Refresh, time.Minute) }

func (w *web) Fetch(ctx context.Context, from, until time.Time) ([]Text, error) {
	if w.dav == nil && !w.asked {
		is, err := w.isCalDAV(ctx)
		if err != nil {
			return nil, err
		}
		if w.asked = true; is {
			w.dav = &dav{}
		}
	}
	if w.dav != nil {
		return w.dav.fetch(ctx, w, from, until)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/calendar, */*;q=0.1")
	if w.data != nil && w.etag != "" {
		req.Header.Set("If-None-Match", w.etag)
	} else if w.data != nil && w.modified != "" {
		req.Header.Set("If-Modified-Since", w.modified)
	}
	res, body, err := w.do(req)
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode == http.StatusNotModified && w.data != nil:
	case res.StatusCode != http.StatusOK:
		return nil, w.refusal(res)
	default:
		w.etag, w.modified, w.data = res.Header.Get("ETag"), res.Header.Get("Last-Modified"), body
	}
	return []Text{{w.String(), w.data}}, nil
}

// isCalDAV asks what a URL serves (RFC 4791 section 5.1). Servers of files do not
// know the method, or say nothing of calendars.
func (w *web) isCalDAV(ctx context.Context) (bool, error) {
	if strings.HasSuffix(strings.ToLower(w.url.Path), ".ics") {
		return false, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, w.url.String(), nil)
	if err != nil {
		return false, err
	}
	res, _, err := w.do(req)
	if err != nil {
		return false, err
	}
	if res.StatusCode == http.StatusUnauthorized {
		return false, w.refusal(res)
	}
	return strings.Contains(strings.ToLower(strings.Join(res.Header.Values("DAV"), ",")), "calendar-access"), nil
}

// refusal is a status that is no success.
func (w *web) refusal(res *http.Response) error {
	err := ErrStatus
	if res.StatusCode == http.StatusUnauthorized {
		err = ErrUnauthorized
	}
	return fmt.Errorf("%s: %s was answered %s: %w", w, res.Request.Method, res.Status, err)
}

// Do sends a request, with the credentials to the source's own host alone, and
// bounds what comes back: it is what go-webdav speaks through.
func (w *web) Do(req *http.Request) (*http.Response, error) {
	client := http.Client{}
	if w.access.Client != nil {
		client = *w.access.Client
	}
	client.Timeout = cmp.Or(client.Timeout, 30*time.Second)
	client.CheckRedirect = w.redirect
	req.Header.Set("User-Agent", "presfed")
	for via := []*http.Request{req}; ; via = append(via, req) {
		if w.access.User != "" && req.URL.Host == w.url.Host {
			req.SetBasicAuth(w.access.User, w.access.Password)
		}
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		to, lerr := res.Location()
		if res.StatusCode/100 != 3 || lerr != nil || req.Method == http.MethodGet {
			res.Body = &bounded{res.Body, maxBytes}
			return res, nil
		}
		// RFC 6764 section 5: /.well-known/caldav redirects PROPFIND, which net/http
		// would turn into GET.
		res.Body.Close()
		if req, err = again(req, to); err == nil {
			err = w.redirect(req, via)
		}
		if err != nil {
			return nil, err
		}
	}
}

// again is a request to another URL.
func again(req *http.Request, to *url.URL) (*http.Request, error) {
	next := req.Clone(req.Context())
	next.URL, next.Host = to, to.Host
	next.Header.Del("Authorization")
	if req.GetBody == nil {
		return next, nil
	}
	var err error
	next.Body, err = req.GetBody()
	return next, err
}

// do is Do with the body read.
func (w *web) do(req *http.Request) (*http.Response, []byte, error) {
	res, err := w.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", w, err)
	}
	return res, body, nil
}

// redirect follows a few, and none from https to http. net/http drops the
// credentials where the host is another. Other methods than GET are Do's to
// repeat.
func (w *web) redirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > 5:
		return errors.New("redirected more than 5 times")
	case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("redirected from https to %s", req.URL.Scheme)
	case via[0].Method != http.MethodGet && req.Method != via[0].Method:
		return http.ErrUseLastResponse
	}
	return nil
}

// bounded is a body that fails where it is too long, rather than end.
type bounded struct {
	io.ReadCloser
	left int
}

var errTooLarge = fmt.Errorf("larger than %d bytes", maxBytes)

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// same says whether two readings have the same calendars.
func same(a, b []Text) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !bytes.Equal(a[i].Data, b[i].Data) {
			return false
		}
	}
	return true
}
