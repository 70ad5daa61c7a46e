package msrp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"presfed/agents/internal/file"
)

// maxDescription bounds the text of a description, in bytes.
const maxDescription = 64 << 10

// ParseDescription reads an offer or answer. It takes the first m= line that
// is MSRP. Where the text is at odds with itself, a=path wins: RFC 4975
// section 8.1 does not let c= and m= say where to connect.
func ParseDescription(text []byte) (*Description, error) {
	if len(text) > maxDescription {
		return nil, fmt.Errorf("%w: %d bytes", ErrNotSDP, len(text))
	}
	var s sdp.SessionDescription
	if err := s.UnmarshalString(tidy(string(text))); err != nil {
		if strings.HasPrefix(string(text), "v=0") && !strings.Contains(strings.ToUpper(string(text)), "/MSRP ") {
			// The parser knows the transports of its time and no others.
			return nil, ErrNotMSRP
		}
		return nil, fmt.Errorf("%w: %v", ErrNotSDP, err)
	}
	place := slices.IndexFunc(s.MediaDescriptions, func(m *sdp.MediaDescription) bool { return isMSRP(m.MediaName) })
	if place < 0 {
		return nil, ErrNotMSRP
	}
	m := s.MediaDescriptions[place]
	d := &Description{
		User: s.Origin.Username, ID: s.Origin.SessionID, Version: s.Origin.SessionVersion, Host: s.Origin.UnicastAddress,
		Secure: len(m.MediaName.Protos) == 3, place: place,
	}
	for i, o := range s.MediaDescriptions {
		if i != place {
			d.others = append(d.others, o.MediaName)
		}
	}
	for _, c := range []*sdp.ConnectionInformation{s.ConnectionInformation, m.ConnectionInformation} {
		if c != nil && c.Address != nil {
			d.Host = c.Address.Address
		}
	}
	switch port := m.MediaName.Port.Value; {
	case port == 0:
		return nil, ErrRejected
	case port < 0 || port > 65535:
		return nil, fmt.Errorf("%w: port %d", ErrNotSDP, port)
	default:
		d.Port = uint16(port)
	}
	if err := d.attributes(s.Attributes, m.Attributes); err != nil {
		return nil, err
	}
	return d, nil
}

func isMSRP(m sdp.MediaName) bool {
	proto := strings.ToUpper(strings.Join(m.Protos, "/"))
	return m.Media == "message" && (proto == "TCP/MSRP" || proto == "TCP/TLS/MSRP")
}

// attributes reads the media's attributes; setup and fingerprint may stand at
// the session's level (RFC 4145 section 4, RFC 4572 section 5).
func (d *Description) attributes(session, media []sdp.Attribute) error {
	var pathErr error
	var named []file.Attribute
	for i, a := range slices.Concat(session, media) {
		ofMedia := i >= len(session)
		switch key := strings.ToLower(a.Key); {
		case key == "sendonly", key == "recvonly":
			d.Direction = key
		case key == "sendrecv", key == "inactive":
			d.Direction = ""
		case key == "setup":
			d.Setup = parseSetup(a.Value)
		case key == "fingerprint":
			d.Fingerprints = append(d.Fingerprints, strings.TrimSpace(a.Value))
		case !ofMedia:
		case key == "path":
			d.Path, pathErr = ParsePath(a.Value)
		case key == "accept-types":
			d.AcceptTypes = strings.Fields(a.Value)
		case key == "accept-wrapped-types":
			d.AcceptWrappedTypes = strings.Fields(a.Value)
		case key == "max-size":
			if n, err := strconv.ParseInt(strings.TrimSpace(a.Value), 10, 64); err == nil && n > 0 {
				d.MaxSize = n
			}
		default:
			named = append(named, file.Attribute{Key: key, Value: a.Value})
		}
	}
	switch {
	case pathErr != nil:
		return fmt.Errorf("%w: %v", ErrNoPath, pathErr)
	case d.Path == nil:
		return ErrNoPath
	case slices.ContainsFunc(d.Path, func(u URI) bool { return u.Port == 0 }):
		// RFC 4975 section 8.2: URIs in a description have explicit ports.
		return fmt.Errorf("%w: URI without a port", ErrNoPath)
	}
	var err error
	if d.File, err = file.Parse(named); err != nil {
		return fmt.Errorf("%w: %v", ErrNotSDP, err)
	}
	return nil
}

// tidy undoes what the SDP grammar forbids and senders write nevertheless:
// blanks at the end of a line and behind "t=", bare line feeds, empty lines,
// a transport in lower case, no s= and no t=.
func tidy(text string) string {
	var lines []string
	hasName, hasTime := false, false
	need := func() {
		if !hasName {
			lines = append(lines, "s=-")
		}
		hasName = true
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			continue
		}
		switch key, value, _ := strings.Cut(line, "="); {
		case key == "s":
			hasName = true
			line = "s=" + strings.TrimSpace(value)
		case key == "t":
			need()
			hasTime = true
			line = "t=" + strings.Join(strings.Fields(value), " ")
		case key == "m" || key == "a":
			need()
			if !hasTime {
				lines = append(lines, "t=0 0")
			}
			hasTime = true
			if f := strings.Fields(value); key == "m" && len(f) > 2 {
				f[2] = strings.ToUpper(f[2])
				line = "m=" + strings.Join(f, " ")
			}
		case key != "v" && key != "o":
			need()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}
