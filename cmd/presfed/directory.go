package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"presfed/db"
)

func newDirectoryCmd(con *console) *cobra.Command {
	cmd := group("directory", "The domain's directory: servers, users, who serves whom, who sees whom",
		newDirectoryInitCmd(con, runDirectoryInit),
		group("server", "The federating servers",
			newDirectoryServerAddCmd(con, runDirectoryServerAdd),
			newDirectoryServerSetCmd(con, runDirectoryServerSet),
			newDirectoryServerRemoveCmd(con, runDirectoryServerRemove)),
		group("user", "The users",
			newDirectoryUserAddCmd(con, runDirectoryUserAdd),
			newDirectoryUserSetCmd(con, runDirectoryUserSet),
			newDirectoryUserRemoveCmd(con, runDirectoryUserRemove)),
		newDirectoryAssignCmd(con, runDirectoryAssign),
		newDirectoryMoveCmd(con, runDirectoryMove),
		group("policy", "Who may see and talk to whom",
			newDirectoryPolicySetCmd(con, runDirectoryPolicySet),
			newDirectoryPolicyRemoveCmd(con, runDirectoryPolicyRemove),
			newDirectoryPolicyDefaultCmd(con, runDirectoryPolicyDefault),
			newDirectoryPolicyModeCmd(con, runDirectoryPolicyMode)),
		group("buddy", "Whom a user watches, in order",
			newDirectoryBuddyAddCmd(con, runDirectoryBuddyAdd),
			newDirectoryBuddyRemoveCmd(con, runDirectoryBuddyRemove),
			newDirectoryBuddySetCmd(con, runDirectoryBuddySet)),
		newDirectoryRouteCmd(con, runDirectoryRoute),
		newDirectoryListCmd(con, runDirectoryList),
		newDirectoryShowCmd(con, runDirectoryShow),
		newDirectoryImportCmd(con, runDirectoryImport),
		newDirectoryExportCmd(con, runDirectoryExport),
		newDirectoryCheckCmd(con, runDirectoryCheck),
	)
	cmd.Long = `The directory is one file that all servers of the domain open. They follow its
changes while they run. Users are written alice or alice@example.com.`
	return cmd
}

// directoryOptions are what every command on a directory needs.
type directoryOptions struct {
	con  *console
	path string
}

func (o *directoryOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.path, "directory", "bed/directory.db", "the domain's directory, a `file`")
}

// read gives f one state of the directory.
func (o directoryOptions) read(ctx context.Context, f func(db.View) error) error {
	return o.open(ctx, func(d *db.DB) error { return d.Snapshot(ctx, f) })
}

// shown prints what a change has made of things; nil: nothing.
type shown func(db.View) error

// change makes f's change, all of it or nothing, and prints it once it is made.
func (o directoryOptions) change(ctx context.Context, f func(*db.Tx) (shown, error)) error {
	return o.open(ctx, func(d *db.DB) error {
		var show shown
		err := d.Update(ctx, func(t *db.Tx) (err error) {
			show, err = f(t)
			return err
		})
		if err != nil || show == nil {
			return err
		}
		return d.Snapshot(ctx, show)
	})
}

func (o directoryOptions) open(ctx context.Context, f func(*db.DB) error) error {
	d, err := db.Open(ctx, o.path, db.Options{})
	if err == nil {
		err = errors.Join(f(d), d.Close())
	}
	return directoryFailure(err)
}

// directoryFailure says what to do about an error of the directory; whatever it
// is, what was asked for cannot be had.
func directoryFailure(err error) error {
	var (
		f       *failure
		file    *db.OpenError
		invalid *db.InvalidError
		missing *db.NotFoundError
		inUse   *db.InUseError
		line    *db.ImportError
	)
	switch {
	case err == nil, errors.As(err, &f), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &file):
		return fail(exitUsage, err, file.Hint)
	case errors.As(err, &line):
		return fail(exitUsage, err, "nothing of the file was taken")
	case errors.As(err, &missing):
		return fail(exitUsage, err, "presfed directory list shows who and what is there")
	case errors.As(err, &inUse):
		return fail(exitUsage, err, "move or remove those first")
	case errors.As(err, &invalid), errors.Is(err, db.ErrExists), errors.Is(err, db.ErrUnreachable):
		return fail(exitUsage, err, "")
	}
	return err
}

// user reads a user of the directory's domain as people write one.
func directoryUser(ctx context.Context, v db.View, s string) (string, error) {
	d, err := v.Domain(ctx)
	if err != nil {
		return "", err
	}
	return db.ParseAOR(s, d.Name)
}

// removedResult is what is printed of something that is gone.
type removedResult struct {
	Type string `json:"type"`
	What string `json:"what"`
	Name string `json:"name"`
}

func (o directoryOptions) removed(what, name string) error {
	return o.con.result(removedResult{"removed", what, name}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "removed %s %s\n", what, name)
		return err
	})
}

// textLine prints "what  value", unless there is no value.
func textLine(b *strings.Builder, what, value string) {
	if value != "" {
		fmt.Fprintf(b, "%-10s%s\n", what, value)
	}
}
