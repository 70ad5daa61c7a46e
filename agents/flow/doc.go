// Package flow is the call flows of the draft: who acts, what must be seen on
// the wire, and the verdict.
//
// A [Flow] is a table. Judge holds it against wire records: each message is
// matched to its F-number by what it is, every note and document of the draft is
// a named check, and what nobody drew is classified or unexpected. Judging is a
// function of its arguments; Run acts on a [Stage] and then judges.
//
// "The draft" is draft-sinha-simple-intradomain-federation-callflow-00.
package flow
