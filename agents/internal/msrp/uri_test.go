package msrp

import "testing"

func TestURIsBothWays(t *testing.T) {
	for _, s := range []string{
		"msrp://host.example.com:8493/asfd34;tcp", // RFC 4975 section 6
		"msrps://atlanta.example.com:7654/jshA7weso3ks;tcp",
		"msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp;x=y;z",
		"msrp://bob@127.0.0.1:9/a+b=c/d~e;tcp",
		"msrp://[2001:db8::1]:2855/s;tcp",
		"msrp://example.com;tcp",
		"msrp://a%62c:1/s;TCP",
	} {
		u, err := ParseURI(s)
		if err != nil || u.String() != s {
			t.Errorf("%s: %q, %v", s, u.String(), err)
		}
	}
	for _, s := range []string{
		"", "msrp:", "sip://h:1/s;tcp", "msrp://h:1/s", "msrp://h:1/;tcp", "msrp://:1/s;tcp", "msrp://h:0/s;tcp", "msrp://h:65536/s;tcp",
		"msrp://h:+1/s;tcp", "msrp://127.0.0.1/s;tcp", "msrp://[::1]/s;tcp", "msrp://[::1:5/s;tcp", "msrp://[127.0.0.1]:5/s;tcp", "msrp://[::1]x/s;tcp",
		"msrp://h:1/s;", "msrp://h:1/s;tcp;", "msrp://h:1/s;tcp;a=", "msrp://h:1/s t;tcp", "msrp://h:1/s;t cp", "msrp://h\r\n:1/s;tcp", "msrp://h%zz:1/s;tcp", "msrp://@h:1/s;tcp",
	} {
		if u, err := ParseURI(s); err == nil {
			t.Errorf("%q read as %+v", s, u)
		}
	}
}

// RFC 4975 section 6.1, rule by rule.
func TestURIComparison(t *testing.T) {
	const base = "msrp://host.example.com:8493/asfd34;tcp"
	for s, want := range map[string]bool{
		base: true,
		"MSRP://host.example.com:8493/asfd34;tcp":      true,  // 1: scheme without case
		"msrps://host.example.com:8493/asfd34;tcp":     false, // 1
		"msrp://HOST.example.COM:8493/asfd34;tcp":      true,  // 2: authority without case
		"msrp://user@host.example.com:8493/asfd34;tcp": true,  // 2: userinfo does not count
		"msrp://h%6fst.example.com:8493/asfd34;tcp":    true,  // 2: percent-encoding
		"msrp://host.example.com:8494/asfd34;tcp":      false, // 3
		"msrp://host.example.com/asfd34;tcp":           false, // 3
		"msrp://host.example.com:8493/ASFD34;tcp":      false, // 4: session-id with case
		"msrp://host.example.com:8493;tcp":             false, // 4
		"msrp://host.example.com:8493/asfd34;TCP":      true,  // 5: transport without case
		"msrp://host.example.com:8493/asfd34;sctp":     false, // 5
		"msrp://host.example.com:8493/asfd34;tcp;a=b":  true,
	} {
		u, err1 := ParseURI(base)
		v, err2 := ParseURI(s)
		if err1 != nil || err2 != nil || u.Equal(v) != want || v.Equal(u) != want {
			t.Errorf("%s: equal %t, want %t (%v %v)", s, u.Equal(v), want, err1, err2)
		}
	}
	a, _ := ParseURI("msrp://[2001:db8:0:0::1]:5/s;tcp")
	b, _ := ParseURI("msrp://[2001:DB8::1]:5/s;tcp")
	if !a.Equal(b) {
		t.Error("addresses are compared as addresses")
	}
}

func TestByteRanges(t *testing.T) {
	for s, want := range map[string]ByteRange{
		"1-25/25":                  {1, 25, 25},
		"1-*/8":                    {1, Unknown, 8},
		"5-8/*":                    {5, 8, Unknown},
		"1-0/0":                    {1, 0, 0},
		"2049-*/*":                 {2049, Unknown, Unknown},
		"138-148/0":                {},
		"0-1/1":                    {},
		"*-1/1":                    {},
		"1-2":                      {},
		"1/2":                      {},
		"-1-2/3":                   {},
		"+1-2/3":                   {},
		"5-3/9":                    {},
		"1-99999999999999999999/*": {},
		"9223372036854775807-*/*":  {},
		"1-2/3 ":                   {},
		"4611686018427387904-4611686018427387904/*": {},
		"":        {},
		"1-2/3/4": {},
		"11-*/10": {11, Unknown, 10},
		"12-*/10": {},
		"1-9223372036854775807/9223372036854775807":   {},
		"1-18446744073709551616/18446744073709551616": {},
	} {
		r, err := ParseByteRange(s)
		if want == (ByteRange{}) {
			if err == nil {
				t.Errorf("%q read as %+v", s, r)
			}
			continue
		}
		if err != nil || r != want || r.String() != s {
			t.Errorf("%q: %+v (%s), %v", s, r, r, err)
		}
	}
}
