package message

import "strings"

// Param is a header parameter; Value is as it stands, quotes included.
type Param struct{ Name, Value string }

// Params keeps header parameters in order; names compare without case (RFC
// 3261 section 7.3.1).
type Params []Param

// Get is the value of a parameter without its quotes.
func (p Params) Get(name string) (value string, ok bool) {
	for _, q := range p {
		if strings.EqualFold(q.Name, name) {
			return Unquote(q.Value), true
		}
	}
	return "", false
}

// With is p with one parameter set; p itself stays as it is.
func (p Params) With(name, value string) Params {
	out := make(Params, 0, len(p)+1)
	found := false
	for _, q := range p {
		if strings.EqualFold(q.Name, name) {
			if found {
				continue
			}
			q.Value, found = value, true
		}
		out = append(out, q)
	}
	if !found {
		out = append(out, Param{name, value})
	}
	return out
}

// Without is p less one parameter.
func (p Params) Without(name string) Params {
	out := make(Params, 0, len(p))
	for _, q := range p {
		if !strings.EqualFold(q.Name, name) {
			out = append(out, q)
		}
	}
	return out
}

func (p Params) append(b []byte) []byte {
	for _, q := range p {
		b = append(append(b, ';'), q.Name...)
		if q.Value != "" {
			b = append(append(b, '='), q.Value...)
		}
	}
	return b
}

// Address is a name-addr or addr-spec with its header parameters (RFC 3261
// section 20.10): From, To, Contact, Route, P-Asserted-Identity and their like.
type Address struct {
	Display string // without quotes
	URI     URI
	Params  Params
}

// ParseAddress reads one address. "*" (Contact in REGISTER) gives a URI whose
// Wildcard is set.
func ParseAddress(s string) (Address, error) {
	var a Address
	s = strings.TrimSpace(s)
	bad := func(what string) (Address, error) {
		return Address{}, &ParseError{Status: 400, Where: "address", What: what + " in " + quoteClip(s)}
	}
	var rest string
	if open := indexOutsideQuotes(s, '<'); open >= 0 {
		display := strings.TrimSpace(s[:open])
		if !isDisplay(display) {
			return bad("a display name that wants quotes")
		}
		a.Display = Unquote(display)
		end := strings.IndexByte(s[open:], '>')
		if end < 0 {
			return bad("no closing angle bracket")
		}
		uri, err := ParseURI(s[open+1 : open+end])
		if err != nil {
			return Address{}, err
		}
		a.URI, rest = uri, s[open+end+1:]
	} else {
		end := strings.IndexByte(s, ';')
		if end < 0 {
			end = len(s)
		}
		// RFC 3261 section 20.10: without brackets no comma, question mark or
		// semicolon belongs to the URI.
		bare := strings.TrimSpace(s[:end])
		if strings.ContainsAny(bare, "?,") {
			return bad("a URI that wants angle brackets")
		}
		uri, err := ParseURI(bare)
		if err != nil {
			return Address{}, err
		}
		a.URI, rest = uri, s[end:]
	}
	params, err := ParseParams(rest)
	if err != nil {
		return Address{}, err
	}
	a.Params = params
	return a, nil
}

// ParseParams reads ";name=value" runs.
func ParseParams(s string) (Params, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	if s[0] != ';' {
		return nil, &ParseError{Status: 400, Where: "parameters", What: "want a semicolon before " + quoteClip(s)}
	}
	out := make(Params, 0, strings.Count(s, ";"))
	for rest := s; rest != ""; {
		part := rest[1:]
		end := indexOutside(part, ';')
		part, rest = strings.TrimSpace(part[:end]), part[end:]
		name, value, _ := strings.Cut(part, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !IsToken(name) {
			return nil, &ParseError{Status: 400, Where: "parameters", What: "not a parameter name: " + quoteClip(name)}
		}
		if !isQuoted(value) && strings.ContainsAny(value, "\" \t<>,") {
			return nil, &ParseError{Status: 400, Where: "parameters", What: "a value that wants quotes, or has too few: " + quoteClip(value)}
		}
		out = append(out, Param{name, value})
	}
	return out, nil
}

// String is the address with its URI in angle brackets.
func (a Address) String() string {
	if a.URI.Wildcard {
		return "*"
	}
	b := make([]byte, 0, 128)
	if a.Display != "" {
		b = append(append(b, Quote(a.Display)...), ' ')
	}
	b = append(b, '<')
	b = append(AppendURI(b, a.URI), '>')
	return string(a.Params.append(b))
}

// Tag is the address's tag parameter, or "".
func (a Address) Tag() string {
	tag, _ := a.Params.Get("tag")
	return tag
}

// WithTag is a with its tag set.
func (a Address) WithTag(tag string) Address {
	a.Params = a.Params.With("tag", tag)
	return a
}

// AddressOf reads the first address of a field.
func AddressOf(m Message, name string) (Address, error) {
	v := Get(m, name)
	if v == "" {
		return Address{}, &ParseError{Status: 400, Where: name, What: "missing"}
	}
	if list := SplitList(v); len(list) > 0 {
		v = list[0]
	}
	a, err := ParseAddress(v)
	return a, at(err, name)
}

// From and To read the message's ends.
func From(m Message) (Address, error) { return single(m, "From") }

// To is like From.
func To(m Message) (Address, error) { return single(m, "To") }

func single(m Message, name string) (Address, error) {
	f := find(m, name)
	if f == nil || f.value == "" {
		return Address{}, &ParseError{Status: 400, Where: name, What: "missing"}
	}
	return addressOf(f)
}

// addressOf reads the one address of a field, if Parse has not.
func addressOf(f *field) (Address, error) {
	if f.address != nil {
		return *f.address, nil
	}
	a, err := ParseAddress(f.value)
	return a, at(err, f.name)
}

// Addresses reads every address of a field.
func Addresses(m Message, name string) ([]Address, error) {
	values := Values(m, name)
	out := make([]Address, 0, len(values))
	for _, v := range values {
		a, err := ParseAddress(v)
		if err != nil {
			return nil, at(err, name)
		}
		out = append(out, a)
	}
	return out, nil
}
