package main

import (
	"net/http"
	"net/http/httptest"

	"github.com/rogpeppe/go-internal/testscript"
)

// web serves a folder by HTTP until the script ends and puts its URL into a
// variable: "web VARIABLE FOLDER". What is below /private wants alice's password,
// secret.
func web(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: web VARIABLE FOLDER")
	}
	files := http.FileServer(http.Dir(ts.MkAbs(args[1])))
	mux := http.NewServeMux()
	mux.Handle("/", files)
	mux.HandleFunc("/private/", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "alice" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="calendars"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.StripPrefix("/private", files).ServeHTTP(w, r)
	})
	s := httptest.NewServer(mux)
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
}
