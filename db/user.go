package db

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"presfed/agents/plain"
)

// User is a user of the domain.
type User struct {
	AOR     string // address of record, such as alice@example.com
	Display string // display name; may be empty
	// Realm is what the HA1s are bound to; empty takes the domain's.
	Realm string
	// HA1 is a hash for each algorithm; none: the user cannot authenticate.
	HA1 map[Algorithm]string
}

// LogValue keeps the hashes out of logs.
func (u User) LogValue() slog.Value { return slog.StringValue(u.AOR) }

// User is the user with that address of record; ErrNotFound.
func (v View) User(ctx context.Context, aor string) (User, error) {
	list, err := v.users(ctx, "WHERE a.aor = $1", aor)
	if err == nil && len(list) == 0 {
		err = &NotFoundError{What: "user", Name: aor}
	}
	if err != nil {
		return User{}, err
	}
	return list[0], nil
}

// Users is every user, by address of record.
func (v View) Users(ctx context.Context) ([]User, error) { return v.users(ctx, "") }

func (v View) users(ctx context.Context, where string, args ...any) (out []User, err error) {
	err = v.each(ctx, func(rows *sql.Rows) error {
		var u User
		var algorithm, ha1 sql.NullString
		err := rows.Scan(&u.AOR, &u.Display, &u.Realm, &algorithm, &ha1)
		if n := len(out); n == 0 || out[n-1].AOR != u.AOR {
			out = append(out, u)
		}
		if last := &out[len(out)-1]; algorithm.Valid {
			if last.HA1 == nil {
				last.HA1 = make(map[Algorithm]string, 3)
			}
			last.HA1[Algorithm(algorithm.String)] = ha1.String
		}
		return err
	}, `SELECT a.aor, a.display, a.realm, c.algorithm, c.ha1 FROM account a
		LEFT JOIN credential c ON c.aor = a.aor `+where+` ORDER BY a.aor`, args...)
	return out, err
}

// AddUser adds a user; ErrExists, *InvalidError.
func (t *Tx) AddUser(u User) error { return t.putUser(u, false) }

// SetUser changes a user, HA1s included; ErrNotFound, *InvalidError.
func (t *Tx) SetUser(u User) error { return t.putUser(u, true) }

// SetPassword gives a user a new password, for every algorithm, in the domain's
// realm; ErrNotFound.
func (t *Tx) SetPassword(aor, password string) error {
	u, err := t.User(t.tx.ctx, aor)
	if err != nil {
		return err
	}
	d, err := t.settings()
	if err != nil {
		return err
	}
	u.Realm, u.HA1 = d.Realm, HA1s(aor, d.Realm, password)
	return t.SetUser(u)
}

func (t *Tx) putUser(u User, there bool) error {
	d, err := t.settings()
	if err != nil {
		return err
	}
	if u.AOR, err = localUser(u.AOR, d.Name); err != nil {
		return err
	}
	if strings.ContainsFunc(u.Display, plain.Acts) || !utf8.ValidString(u.Display) || len(u.Display) > 255 {
		return &InvalidError{Field: "display name of " + u.AOR, Value: u.Display, Want: "one line of at most 255 bytes, without control characters"}
	}
	if u.Realm == "" {
		u.Realm = d.Realm
	}
	if err := t.expect("user", "SELECT aor FROM account WHERE aor = $1", u.AOR, there); err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO account (aor, display, realm) VALUES ($1, $2, $3)
		ON CONFLICT (aor) DO UPDATE SET display = excluded.display, realm = excluded.realm`, u.AOR, u.Display, u.Realm); err != nil {
		return err
	}
	if there {
		if _, err := t.exec("DELETE FROM credential WHERE aor = $1", u.AOR); err != nil {
			return err
		}
	}
	for _, a := range slices.Sorted(maps.Keys(u.HA1)) {
		if err := validHA1(u.AOR, a, u.HA1[a]); err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO credential (aor, algorithm, ha1) VALUES ($1, $2, $3)", u.AOR, a, u.HA1[a]); err != nil {
			return err
		}
	}
	t.touch(KindUser, u.AOR)
	return nil
}

// RemoveUser removes a user with her placement, rules and buddy list;
// ErrNotFound. Others' rules and lists that name her stay: [Check] finds them.
func (t *Tx) RemoveUser(aor string) error {
	if err := t.remove(KindUser, "user", "DELETE FROM account WHERE aor = $1", aor); err != nil {
		return err
	}
	t.touch(KindPlace, aor)
	t.touch(KindPolicy, aor)
	t.touch(KindBuddies, aor)
	return nil
}

// localUser makes sure that an address is of this domain.
func localUser(aor, domain string) (string, error) {
	canonical, err := ParseAOR(aor, domain)
	if err != nil {
		return "", err
	}
	if _, host := SplitAOR(canonical); host != domain {
		return "", &InvalidError{Field: "user", Value: aor, Want: fmt.Sprintf("a user of this directory's domain, %s", domain)}
	}
	return canonical, nil
}
