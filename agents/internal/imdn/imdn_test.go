package imdn_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"presfed/agents/internal/cpim"
	"presfed/agents/internal/imdn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const open = `<?xml version="1.0" encoding="UTF-8"?>
   <imdn xmlns="urn:ietf:params:xml:ns:imdn">
         <message-id>34jk324j</message-id>
         <datetime>2008-04-04T12:16:49-05:00</datetime>
        <recipient-uri>im:bob@example.com</recipient-uri>
         <original-recipient-uri
           >im:bob@example.com</original-recipient-uri>
`

var said = imdn.Notification{
	MessageID: "34jk324j", DateTime: "2008-04-04T12:16:49-05:00", Recipient: "im:bob@example.com", OriginalRecipient: "im:bob@example.com",
}

// The RFC's examples (sections 7.2.1.1, 7.2.1.2, 8.1), each status, and what
// linphone writes.
func documents() map[string]imdn.Notification {
	all := map[string]imdn.Notification{
		`<?xml version="1.0" encoding="UTF-8" standalone="no" ?><imdn xmlns="urn:ietf:params:xml:ns:imdn" xmlns:linphoneimdn="http://www.linphone.org/xsds/imdn.xsd"><message-id>x</message-id><datetime>2026-11-25T12:00:00Z</datetime><recipient-uri>sip:bob@example.com</recipient-uri><delivery-notification><status><error/><linphoneimdn:reason code="488">Not acceptable here</linphoneimdn:reason></status></delivery-notification></imdn>`: {
			MessageID: "x", DateTime: "2026-11-25T12:00:00Z", Recipient: "sip:bob@example.com", Kind: imdn.Delivery, Status: imdn.Error},
	}
	for kind, statuses := range map[imdn.Kind][]imdn.Status{
		"delivery":   {"delivered", "failed", "forbidden", "error"},
		"display":    {"displayed", "forbidden", "error"},
		"processing": {"processed", "stored", "forbidden", "error"},
	} {
		for _, status := range statuses {
			n := said
			n.Kind, n.Status = kind, status
			all[open+"<"+string(kind)+"-notification>\n<status>\n<"+string(status)+"/>\n</status>\n</"+string(kind)+"-notification>\n</imdn>"] = n
		}
	}
	return all
}

func TestNotifications(t *testing.T) {
	for doc, want := range documents() {
		got, err := imdn.Parse([]byte(doc))
		if err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
		if again, err := imdn.Parse(got.Marshal()); err != nil || again != want {
			t.Errorf("written and read: %+v, %v", again, err)
		}
	}
}

func TestRefused(t *testing.T) {
	notification := func(inside string) string { return open + inside + "</imdn>" }
	for name, doc := range map[string]string{
		"no XML":            "delivered",
		"another root":      strings.ReplaceAll(notification("<display-notification><status><displayed/></status></display-notification>"), "imdn", "mdn"),
		"no message-id":     strings.Replace(notification("<display-notification><status><displayed/></status></display-notification>"), "message-id>34jk324j</message-id", "x></x", 1),
		"no notification":   notification(""),
		"two":               notification("<display-notification><status><displayed/></status></display-notification><delivery-notification><status><failed/></status></delivery-notification>"),
		"no status":         notification("<display-notification/>"),
		"an unknown status": notification("<display-notification><status><liked/></status></display-notification>"),
		"another's status":  notification("<display-notification><status><delivered/></status></display-notification>"),
		"two statuses":      notification("<display-notification><status><displayed/><error/></status></display-notification>"),
		"a document type":   "<!DOCTYPE imdn>" + notification("<display-notification><status><displayed/></status></display-notification>")[38:],
		"large":             notification("<subject>" + strings.Repeat("x", 1<<20) + "</subject>"),
	} {
		if n, err := imdn.Parse([]byte(doc)); err == nil {
			t.Errorf("%s was taken: %+v", name, n)
		}
	}
}

// asks is a message as clients write it.
func asks(t *testing.T, more string, content string) *cpim.Message {
	t.Helper()
	if content == "" {
		content = "Content-Type: text/plain\n\nHello World"
	}
	m, err := cpim.Parse([]byte("From: Alice <im:alice@example.com>\nTo: Bob <im:bob@example.com>\nNS: i <urn:ietf:params:imdn>\nDateTime: 2006-04-04T12:16:49-05:00\n" + more + "\n" + content))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAsked(t *testing.T) {
	const id = "i.Message-ID: 34jk324j\n"
	for name, tt := range map[string]struct {
		more, content string
		want          []imdn.Kind
	}{
		"success and failure":        {id + "i.Disposition-Notification: positive-delivery, negative-delivery\n", "", []imdn.Kind{"delivery"}},
		"display by two headers":     {id + "i.Disposition-Notification: display\ni.Disposition-Notification: processing;x=y\n", "", []imdn.Kind{"display", "processing"}},
		"failure alone":              {id + "i.Disposition-Notification: negative-delivery\n", "", nil},
		"what is not known":          {id + "i.Disposition-Notification: liked , display\n", "", []imdn.Kind{"display"}},
		"another prefix":             {id + "imdn.Disposition-Notification: display\n", "", nil},
		"no ID":                      {"i.Disposition-Notification: display\n", "", nil},
		"nothing":                    {id, "", nil},
		"a notification":             {id + "i.Disposition-Notification: display\n", "Content-Type: Message/IMDN+xml; charset=utf-8\n\n<imdn/>", nil},
		"several notifications":      {id + "i.Disposition-Notification: display\n", "Content-Type: multipart/mixed; boundary=x\nContent-Disposition: Notification\n\n--x--", nil},
		"a route that leads nowhere": {id + "i.Disposition-Notification: display\ni.IMDN-Record-Route: there\n", "", nil},
	} {
		r, ok := imdn.Asked(asks(t, tt.more, tt.content))
		if ok != (tt.want != nil) || !slices.Equal(r.Kinds, tt.want) {
			t.Errorf("%s: %+v, %t", name, r, ok)
		}
		if ok && (r.ID != "34jk324j" || r.From != "im:alice@example.com") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// What is asked for by Ask is read by Asked, and its answer is the notification
// of section 7.2.1.
func TestAnswer(t *testing.T) {
	m := &cpim.Message{Content: cpim.Content{Fields: []cpim.Field{{Name: "Content-Type", Value: "text/plain"}}}}
	m.Add("", "From", "<im:alice@example.com>")
	m.Add("", "To", "<im:list@example.com>")
	m.Add("", "Subject", cpim.Escape("a\\b"))
	imdn.Ask(m, "id1", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), imdn.Delivery, imdn.Display)
	m.Add("imdn", "Original-To", "<im:bob@example.com>")
	m.Add("imdn", "IMDN-Record-Route", "Far <im:far@example.com>")
	m.Add("imdn", "IMDN-Record-Route", "<im:near@example.com>")
	raw, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if want := "imdn.Disposition-Notification: positive-delivery, negative-delivery, display\r\n"; !strings.Contains(string(raw), want) {
		t.Errorf("not asked as section 10 has it:\n%s", raw)
	}
	m, err = cpim.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := imdn.Asked(m)
	if !ok || !r.Wants(imdn.Delivery) || !r.Wants(imdn.Display) || r.Wants(imdn.Processing) || r.Route() != "im:far@example.com" {
		t.Fatalf("%+v, %t", r, ok)
	}
	answer := r.Answer("id2", "sip:bob@example.com", imdn.Display, imdn.Displayed)
	if raw, err = answer.Marshal(); err != nil {
		t.Fatal(err)
	}
	const head = "From: <sip:bob@example.com>\r\nTo: <im:alice@example.com>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: id2\r\n" +
		"imdn.IMDN-Route: Far <im:far@example.com>\r\nimdn.IMDN-Route: <im:near@example.com>\r\n\r\nContent-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n"
	doc, ok := strings.CutPrefix(string(raw), head)
	if !ok {
		t.Errorf("%s", raw)
	}
	want := imdn.Notification{
		MessageID: "id1", DateTime: "2026-01-02T03:04:05Z", Recipient: "im:list@example.com", OriginalRecipient: "im:bob@example.com",
		Subject: "a\\b", Kind: imdn.Display, Status: imdn.Displayed,
	}
	if n, err := imdn.Parse([]byte(doc)); err != nil || n != want {
		t.Errorf("%+v, %v", n, err)
	}
	if again, ok := imdn.Asked(answer); ok {
		t.Errorf("an answer asks for %+v", again)
	}
}

func FuzzNotification(f *testing.F) {
	for doc := range documents() {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		n, err := imdn.Parse(doc)
		if err != nil {
			return
		}
		if again, err := imdn.Parse(n.Marshal()); err != nil || !cmp.Equal(again, n) {
			t.Errorf("%+v, then %+v, %v", n, again, err)
		}
	})
}
