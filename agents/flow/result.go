package flow

import (
	"encoding/json"
	"io"

	"presfed/agents/internal/wire"
	"presfed/agents/plain"
	"presfed/agents/trace"
)

// Result is what a run of a flow showed, in the lines that --json prints.
type Result struct {
	Participants []ParticipantLine
	Messages     []trace.Line // in order of time, set-up included
	Checks       []CheckResult
	Verdict      Verdict
}

// ParticipantLine says where a participant is.
type ParticipantLine struct {
	Type string `json:"type"` // "participant"
	Participant
}

// CheckResult is one check, evaluated.
type CheckResult struct {
	Type   string `json:"type"` // "check"
	Flow   string `json:"flow"`
	F      string `json:"f,omitempty"`
	Check  string `json:"check"`
	Source string `json:"source"`
	OK     bool   `json:"ok"`
	Got    string `json:"got,omitempty"`
}

// Verdict is whether a flow ran as it is drawn. The lists are of F-numbers;
// Unexpected, of messages without one.
type Verdict struct {
	Type         string   `json:"type"` // "verdict"
	Flow         string   `json:"flow"`
	OK           bool     `json:"ok"`
	Missing      []string `json:"missing"`
	Unexpected   []string `json:"unexpected"`
	OutOfOrder   []string `json:"out_of_order"`
	FailedChecks int      `json:"failed_checks"`
}

// Write prints the result, a JSON object a line.
func (r *Result) Write(w io.Writer) error {
	enc := json.NewEncoder(plain.JSON(w))
	enc.SetEscapeHTML(false)
	var err error
	put := func(v any) {
		if err == nil {
			err = enc.Encode(v)
		}
	}
	for _, p := range r.Participants {
		put(p)
	}
	for _, m := range r.Messages {
		put(m)
	}
	for _, c := range r.Checks {
		put(c)
	}
	put(r.Verdict)
	return err
}

// Description is a flow without a run, as flow list and flow show print it.
type Description struct {
	Type     string               `json:"type"` // "flow"
	ID       string               `json:"id"`
	Slug     string               `json:"slug"`
	Title    string               `json:"title"`
	Model    string               `json:"model"`
	Needs    string               `json:"needs"`
	Messages []MessageDescription `json:"messages,omitempty"`
	Checks   []CheckDescription   `json:"checks,omitempty"`
}

// MessageDescription is one arrow.
type MessageDescription struct {
	F        string        `json:"f"`
	From     string        `json:"from"`
	To       string        `json:"to"`
	Protocol wire.Protocol `json:"protocol"`
	What     string        `json:"what"`
	Leg      string        `json:"leg,omitempty"`
	Note     string        `json:"note,omitempty"`
	After    []string      `json:"after"`
}

// CheckDescription is one check.
type CheckDescription struct {
	F      string `json:"f"`
	Check  string `json:"check"`
	Source string `json:"source"`
}

// Brief is the flow in one line of a list.
func (f Flow) Brief() Description {
	return Description{Type: "flow", ID: f.ID, Slug: f.Slug, Title: f.Title, Model: f.Model, Needs: f.Needs}
}

// Describe is the flow with every message and check.
func (f Flow) Describe() Description {
	d := f.Brief()
	for _, m := range f.Messages {
		after := m.After
		if after == nil {
			after = []string{}
		}
		d.Messages = append(d.Messages, MessageDescription{m.F, m.From, m.To, m.Protocol, m.What, m.Leg, m.Note, after})
	}
	for _, c := range f.Checks {
		d.Checks = append(d.Checks, CheckDescription{c.F, c.Name, c.Source})
	}
	return d
}
