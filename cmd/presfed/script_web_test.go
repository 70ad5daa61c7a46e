package main

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// web serves a folder by HTTP until the script ends and puts its URL into a
// variable: "web VARIABLE FOLDER", and the URL's host into VARIABLE_HOST. With a
// third argument it is HTTPS, and that file has the authority. What is below
// /private wants alice's password, secret.
func web(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: web VARIABLE FOLDER [AUTHORITY]")
	}
	files := http.FileServer(http.Dir(ts.MkAbs(args[1])))
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PROPFIND" { // as servers of files do
			http.Error(w, "<html>\nwritten for people\n</html>", http.StatusNotImplemented)
			return
		}
		files.ServeHTTP(w, r)
	})
	mux.HandleFunc("/private/", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "alice" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="calendars"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.StripPrefix("/private", files).ServeHTTP(w, r)
	})
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that the script wants to fail
	if len(args) == 2 {
		s.Start()
	} else {
		s.StartTLS()
		authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), authority, 0o600))
	}
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
	ts.Setenv(args[0]+"_HOST", s.Listener.Addr().String())
}
