package db

import (
	"presfed/routing"
)

// format is the version of the readable file.
const format = 1

// document is the directory as one readable file. What a file leaves out, an
// import leaves as it is.
type document struct {
	Format  int              `yaml:"presfed-directory,omitempty"`
	Domain  *domainDocument  `yaml:"domain,omitempty"`
	Servers []serverDocument `yaml:"servers,omitempty"`
	Users   []userDocument   `yaml:"users,omitempty"`
}

type domainDocument struct {
	Name       string     `yaml:"name"`
	Realm      string     `yaml:"realm,omitempty"`
	PolicyMode PolicyMode `yaml:"policy-mode,omitempty"`
	Default    Handling   `yaml:"default,omitempty"`
}

type serverDocument struct {
	Name      string   `yaml:"name"`
	URI       string   `yaml:"uri"`
	Transport string   `yaml:"transport,omitempty"`
	Identity  string   `yaml:"identity,omitempty"`
	Aliases   []string `yaml:"aliases,omitempty,flow"`
}

type userDocument struct {
	User     string          `yaml:"user"`
	Display  *string         `yaml:"display,omitempty"`
	Password *string         `yaml:"password,omitempty"` // import only
	Realm    string          `yaml:"realm,omitempty"`    // of the HA1s; the domain's where left out
	HA1      *ha1Document    `yaml:"ha1,omitempty"`
	Servers  []string        `yaml:"servers,omitempty,flow"`
	Model    routing.Model   `yaml:"model,omitempty"`
	Root     string          `yaml:"root,omitempty"`
	Policy   *policyDocument `yaml:"policy,omitempty"`
	Buddies  []string        `yaml:"buddies,omitempty,flow"`
}

type ha1Document struct {
	MD5       string `yaml:"MD5,omitempty"`
	SHA256    string `yaml:"SHA-256,omitempty"`
	SHA512256 string `yaml:"SHA-512-256,omitempty"`
}

func (h *ha1Document) hashes() map[Algorithm]string {
	out := map[Algorithm]string{}
	for a, ha1 := range map[Algorithm]string{MD5: h.MD5, SHA256: h.SHA256, SHA512256: h.SHA512256} {
		if ha1 != "" {
			out[a] = ha1
		}
	}
	return out
}

type policyDocument struct {
	Users   map[string]Handling `yaml:"users,omitempty"`
	Domains map[string]Handling `yaml:"domains,omitempty"`
	Default Handling            `yaml:"default,omitempty"`
}
