package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"presfed/agents/calendar"
	"presfed/agents/calendar/ical"
)

// webOptions are how calendars on the web are reached.
type webOptions struct {
	user         string
	passwordFile string
	authority    string
	refresh      time.Duration
}

func (o *webOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.user, "calendar-user", "", "`name` at the calendar server (or in the URL: https://alice@dav.example.com/)")
	f.StringVar(&o.passwordFile, "calendar-password-file", "", "`file` with the password there on its first line (or PRESFED_CALENDAR_PASSWORD)")
	f.StringVar(&o.authority, "calendar-authority", "", "`file` of the certificate authority for https (default: the system's)")
	f.DurationVar(&o.refresh, "refresh", time.Minute, "how often URLs are asked for changes; files are looked at every second")
}

// access is what the options say.
func (o *webOptions) access(con *console) (a calendar.Access, err error) {
	a = calendar.Access{User: o.user, Refresh: o.refresh}
	if o.passwordFile != "" {
		b, err := os.ReadFile(o.passwordFile)
		if err != nil {
			return a, err
		}
		line, _, _ := strings.Cut(string(b), "\n")
		a.Password = strings.TrimSuffix(line, "\r")
	} else {
		a.Password, _ = con.lookup("PRESFED_CALENDAR_PASSWORD")
	}
	keyLog, _ := con.lookup("SSLKEYLOGFILE")
	if o.authority == "" && keyLog == "" {
		return a, nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{}
	a.Client = &http.Client{Transport: transport}
	if o.authority != "" {
		pem, err := os.ReadFile(o.authority)
		if err != nil {
			return a, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return a, usage("a PEM file with a certificate", "--calendar-authority %s holds none", o.authority)
		}
		transport.TLSClientConfig.RootCAs = roots
	}
	if keyLog != "" { // open as long as the program runs
		transport.TLSClientConfig.KeyLogWriter, err = os.OpenFile(keyLog, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	}
	return a, err
}

// userFeed is a user and where her calendars are.
type userFeed struct {
	user    string
	sources []calendar.Source
}

// feeds reads the arguments: SOURCE, or USER=SOURCE.
func (o *calendarOptions) feeds() (out []userFeed, err error) {
	access, err := o.web.access(o.con)
	if err != nil {
		return nil, err
	}
	index := map[string]int{}
	for _, arg := range o.sources {
		user, name := o.device.user, arg
		if before, after, ok := strings.Cut(arg, "="); ok && before != "" && !strings.ContainsAny(before, "/:?.\\ ") || ok && strings.Contains(before, "@") && !strings.Contains(before, "/") {
			user, name = before, after
		}
		if user == "" && !o.dryRun {
			return nil, usage("--user alice@example.com, or alice@example.com="+arg, "%s: whose calendar is it?", arg)
		}
		if user != "" && !strings.Contains(user, "@") {
			user += "@example.com"
		}
		source, err := calendar.Open(name, access)
		if err != nil {
			if f := sourceFailure(err); f != nil {
				return nil, f
			}
			return nil, fail(exitUsage, err, "")
		}
		i, known := index[user]
		if !known {
			i = len(out)
			index[user] = i
			out = append(out, userFeed{user: user})
		}
		out[i].sources = append(out[i].sources, source)
	}
	return out, nil
}

// sourceFailure gives what is wrong with a source its exit code; nil where it is
// something else.
func sourceFailure(err error) error {
	var unreached *url.Error
	switch {
	case errors.Is(err, calendar.ErrUnauthorized):
		return fail(exitAuth, err, "--calendar-user, and --calendar-password-file or PRESFED_CALENDAR_PASSWORD")
	case errors.Is(err, calendar.ErrSecret):
		return fail(exitUsage, err, "--calendar-password-file, or PRESFED_CALENDAR_PASSWORD")
	case errors.Is(err, ical.ErrNotCalendar):
		return fail(exitUsage, err, "an iCalendar file begins with BEGIN:VCALENDAR")
	case errors.Is(err, ical.ErrTooLarge):
		return fail(exitUsage, err, "ask for a shorter time, or split the calendar")
	case errors.Is(err, calendar.ErrStatus), errors.Is(err, calendar.ErrNoCalendar):
		return fail(exitUsage, err, whichURL)
	case errors.As(err, &unreached):
		return unreachedFailure(err)
	case errors.Is(err, os.ErrNotExist):
		return fail(exitUsage, err, "name an .ics file, a folder of them, or a URL")
	}
	return nil
}

const whichURL = "is this the URL of a calendar, or of a CalDAV server?"

// unreachedFailure is for a URL that nothing came from.
func unreachedFailure(err error) error {
	var unknown *net.DNSError
	var link *net.OpError
	switch {
	case isTLS(err):
		return fail(exitAuth, err, "does it speak TLS, with a certificate that --calendar-authority vouches for?")
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return fail(exitUsage, err, "is the host's name right?")
	case isTimeout(err), errors.As(err, &link), errors.Is(err, io.EOF):
		return fail(exitTimeout, err, "does a calendar server listen there, for http or for https?")
	}
	return fail(exitUsage, err, whichURL)
}
