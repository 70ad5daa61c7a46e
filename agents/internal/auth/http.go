package auth

import (
	"context"

	"presfed/agents/internal/message"
)

// VerifyHTTP is Verify for a request by HTTP: its method, its target as the
// request line has it, and its Authorization fields (RFC 7616). The fields that
// ask are the Challenge's.
func (v *Verifier) VerifyHTTP(ctx context.Context, method, target string, authorization []string) (user string, err error) {
	why, claimed := NoCredentials, ""
	field := UserAgent.Answer()
	if len(authorization) > maxCredentials {
		return "", &message.ParseError{Status: 400, Where: field, What: "too many credentials"}
	}
	for _, value := range authorization {
		cred, alg, err := v.read(value, field)
		if err != nil {
			return "", err
		}
		if cred == nil {
			continue
		}
		user, w, err := v.weigh(ctx, method, func(uri string) bool { return uri == target }, cred, alg, field)
		if err != nil || user != "" {
			return user, err
		}
		why, claimed = w, cred.Username
	}
	return "", v.challenge(UserAgent, why, claimed)
}
