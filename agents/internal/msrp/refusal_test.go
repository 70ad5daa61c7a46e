package msrp

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// RFC 3264 section 6: an m= line for each of the offer's, in its order, port 0.
func TestRefusalTakesNothing(t *testing.T) {
	offer := "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 4000 RTP/AVP 0 8\r\na=sendrecv\r\nm=message 5000 TCP/MSRP *\r\na=path:msrp://192.0.2.1:5000/x;tcp\r\n"
	answer, err := Refusal([]byte(offer), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	var media []string
	for line := range strings.Lines(string(answer)) {
		if strings.HasPrefix(line, "m=") || strings.HasPrefix(line, "a=") {
			media = append(media, strings.TrimSpace(line))
		}
	}
	if want := []string{"m=audio 0 RTP/AVP 0 8", "m=message 0 TCP/MSRP *"}; !slices.Equal(media, want) {
		t.Errorf("%v, want %v", media, want)
	}
	if _, err := ParseDescription(answer); !errors.Is(err, ErrRejected) {
		t.Errorf("its reader says %v", err)
	}
	for _, bad := range []string{"", "hello", strings.Repeat("a=x\r\n", 20_000)} {
		if _, err := Refusal([]byte(bad), "127.0.0.1"); !errors.Is(err, ErrNotSDP) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}
