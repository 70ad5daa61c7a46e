package routing

// Class is what kind of answer a method wants.
type Class string

const (
	// Watch asks for state: SUBSCRIBE.
	Watch Class = "watch"
	// Deliver wants to reach devices: INVITE, MESSAGE and everything not below.
	Deliver Class = "deliver"
	// Upload brings a user's own device: REGISTER.
	Upload Class = "upload"
	// Publish brings a user's own state: PUBLISH.
	Publish Class = "publish"
)

// ClassOf is the class of a method.
func ClassOf(method string) Class {
	switch method {
	case "SUBSCRIBE":
		return Watch
	case "REGISTER":
		return Upload
	case "PUBLISH":
		return Publish
	}
	return Deliver
}

// Facts is all that a decision depends on.
type Facts struct {
	Names *Names
	Self  string // the name of the server that decides
	User  string // the address of record, for reasons
	Place Place  // where the directory has her; zero when it does not know her
	Scope Scope  // from [ScopeOf]
	Class Class
	// Peer names the server the request came from, by its certificate; empty for
	// a client.
	Peer string
	// HandsOver says that this server passes a user's PUBLISH on to her root, and as
	// a root that does not serve her takes what is passed on.
	HandsOver bool
}
