package bed

import "testing"

func TestOptions(t *testing.T) {
	for _, subnet := range []string{"10.0.0.0/24", "127.1.2.0/25", "::1/128"} {
		var o Options
		if err := o.Subnet.UnmarshalText([]byte(subnet)); err != nil {
			t.Fatal(err)
		}
		if err := o.complete(); err == nil {
			t.Errorf("%s is no subnet for a bed", subnet)
		}
	}
	o := Options{Ports: true, Meddle: func(_, _ string, raw []byte) [][]byte { return [][]byte{raw} }}
	if err := o.complete(); err == nil {
		t.Error("a relay on a shared address")
	}
}
