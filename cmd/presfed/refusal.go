package main

// refusalHint is what to do about a final response of that status; empty where
// nothing can be said that the response does not. field is what it says in a field.
func refusalHint(status int, field func(name string) string) string {
	switch status {
	case 403:
		return "the user's policy or the server says no; for your own domain, presfed directory show USER tells the rules"
	case 404:
		return "does the directory know the user, and is a server assigned? (presfed directory show USER)"
	case 405, 501:
		return saysIf("it takes ", field("Allow"))
	case 406:
		return saysIf("it can send ", field("Accept"))
	case 408, 480:
		return "no device of the user is there that can take it; is one registered?"
	case 412:
		return "the publication is gone or was changed; publish anew, without --if-match"
	case 415:
		return saysIf("it takes ", field("Accept"))
	case 423:
		return saysIf("ask for more: --expires at least ", seconds(field("Min-Expires")))
	case 481:
		return "the dialog is over at the other end; begin a new one"
	case 482, 483:
		return "the request went in a circle; presfed trace shows where, presfed directory check why"
	case 486, 600:
		return "the user is busy; try again later"
	case 489:
		return saysIf("it serves the packages ", field("Allow-Events"))
	case 500, 502, 504:
		return "the next server may be down; its log, and presfed trace on it, tell more"
	case 503:
		return saysIf("try again in ", seconds(field("Retry-After")))
	case 603, 606:
		return "the user, or one of the devices, declined"
	}
	return ""
}

// saysIf is both halves, or nothing where the second is missing.
func saysIf(first, second string) string {
	if second == "" {
		return ""
	}
	return first + second
}

func seconds(field string) string {
	if field == "" {
		return ""
	}
	return field + "s"
}
