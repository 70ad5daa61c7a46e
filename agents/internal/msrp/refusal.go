package msrp

import (
	"fmt"

	"github.com/pion/sdp/v3"
)

// Refusal is the answer to an offer that takes nothing of it: the offer's media
// with port 0 each (RFC 3264 section 6; for early offers RFC 3959 section 4).
// host is ours. The error is ErrNotSDP.
func Refusal(offer []byte, host string) ([]byte, error) {
	if len(offer) > maxDescription {
		return nil, fmt.Errorf("%w: %d bytes", ErrNotSDP, len(offer))
	}
	var theirs sdp.SessionDescription
	if err := theirs.UnmarshalString(tidy(string(offer))); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotSDP, err)
	}
	if len(theirs.MediaDescriptions) == 0 {
		return nil, fmt.Errorf("%w: no media", ErrNotSDP)
	}
	id := newSDPID()
	answer := Description{Host: host, ID: id, Version: id}.frame()
	for _, m := range theirs.MediaDescriptions {
		name := m.MediaName
		name.Port = sdp.RangedPort{}
		answer.MediaDescriptions = append(answer.MediaDescriptions, &sdp.MediaDescription{MediaName: name})
	}
	return answer.Marshal()
}
