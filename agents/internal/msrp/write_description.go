package msrp

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// Marshal writes the session description.
func (d Description) Marshal() ([]byte, error) {
	s := d.frame()
	for i := range len(d.others) + 1 {
		if i == d.place {
			s.MediaDescriptions = append(s.MediaDescriptions, d.media())
		}
		if i < len(d.others) {
			refused := d.others[i]
			refused.Port = sdp.RangedPort{}
			s.MediaDescriptions = append(s.MediaDescriptions, &sdp.MediaDescription{MediaName: refused})
		}
	}
	return s.Marshal()
}

// frame is all but the media.
func (d Description) frame() sdp.SessionDescription {
	address := &sdp.Address{Address: d.Host}
	kind := "IP4"
	if a, err := netip.ParseAddr(d.Host); err == nil && a.Is6() && !a.Is4In6() {
		kind = "IP6"
	}
	return sdp.SessionDescription{
		Origin: sdp.Origin{
			Username: cmp.Or(d.User, "-"), SessionID: d.ID, SessionVersion: d.Version,
			NetworkType: "IN", AddressType: kind, UnicastAddress: d.Host,
		},
		SessionName:           "-",
		ConnectionInformation: &sdp.ConnectionInformation{NetworkType: "IN", AddressType: kind, Address: address},
		TimeDescriptions:      []sdp.TimeDescription{{}},
	}
}

func (d Description) media() *sdp.MediaDescription {
	m := &sdp.MediaDescription{MediaName: sdp.MediaName{
		Media: "message", Port: sdp.RangedPort{Value: int(d.Port)}, Protos: []string{"TCP", "MSRP"}, Formats: []string{"*"},
	}}
	if d.Secure {
		m.MediaName.Protos = []string{"TCP", "TLS", "MSRP"}
	}
	m = m.WithValueAttribute("accept-types", cmp.Or(strings.Join(d.AcceptTypes, " "), "*"))
	if len(d.AcceptWrappedTypes) > 0 {
		m = m.WithValueAttribute("accept-wrapped-types", strings.Join(d.AcceptWrappedTypes, " "))
	}
	if d.MaxSize > 0 {
		m = m.WithValueAttribute("max-size", strconv.FormatInt(d.MaxSize, 10))
	}
	m = m.WithValueAttribute("path", d.Path.String())
	if d.Direction != "" {
		m = m.WithPropertyAttribute(d.Direction)
	}
	if d.File != nil {
		for _, a := range d.File.Attributes() {
			m = m.WithValueAttribute(a.Key, a.Value)
		}
	}
	if d.Setup != "" {
		m = m.WithValueAttribute("setup", string(d.Setup))
	}
	for _, f := range d.Fingerprints {
		m = m.WithValueAttribute("fingerprint", f)
	}
	return m
}
