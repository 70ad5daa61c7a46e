package msrp

import "strings"

// accepts: contentType is in a list of accept-types. Parameters do not count
// (RFC 4975 section 8.6). An empty list takes anything.
func accepts(list []string, contentType string) bool {
	if len(list) == 0 {
		return true
	}
	for _, entry := range list {
		if matchType(entry, contentType) {
			return true
		}
	}
	return false
}

// Takes says whether the peer takes messages of a content type. Before Start it is
// not known: it does.
func (s *Session) Takes(contentType string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return accepts(s.remote.AcceptTypes, contentType)
}

// TakesWrapped says whether the peer takes a content type within messages of
// another one (RFC 4975 section 8.6).
func (s *Session) TakesWrapped(contentType, within string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	types, wrapped := s.remote.AcceptTypes, s.remote.AcceptWrappedTypes
	return accepts(types, within) && (accepts(types, contentType) || len(wrapped) > 0 && accepts(wrapped, contentType))
}

// anyCommonType: there is something that both would take.
func anyCommonType(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	for _, x := range a {
		if accepts(b, x) {
			return true
		}
	}
	for _, x := range b {
		if accepts(a, x) {
			return true
		}
	}
	return false
}

func matchType(entry, contentType string) bool {
	entry, contentType = essence(entry), essence(contentType)
	if entry == "*" || entry == "*/*" || entry == contentType {
		return true
	}
	major, isMajor := strings.CutSuffix(entry, "/*")
	return isMajor && strings.HasPrefix(contentType, major+"/")
}

// essence is a media type without parameters, in lower case.
func essence(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(s))
}

// isMediaType: type "/" subtype, parameters not looked at but for what would
// break a header.
func isMediaType(s string) bool {
	major, minor, ok := strings.Cut(essence(s), "/")
	return ok && isToken(major) && isToken(minor) && isText(s)
}
