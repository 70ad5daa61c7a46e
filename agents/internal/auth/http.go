package auth

import "context"

// VerifyHTTP is Verify for a request by HTTP: its method, its target as the
// request line has it, and its Authorization fields (RFC 7616). The fields that
// ask are the Challenge's.
func (v *Verifier) VerifyHTTP(ctx context.Context, method, target string, authorization []string) (user string, err error) {
	return v.verify(ctx, UserAgent, vouched{method, func(uri string) bool { return uri == target }},
		credentials{UserAgent.Answer(), authorization})
}
