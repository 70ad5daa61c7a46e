package client

import (
	"errors"
	"fmt"

	"presfed/agents/internal/file"
	"presfed/agents/internal/message"
	"presfed/agents/internal/msrp"
)

// maxDownloads is how many files may be coming at once.
const maxDownloads = 16

var errManyFiles = errors.New("too many files are coming already")

// offered decides about an offer that may be of a file (RFC 5547 section 8.3); nil:
// it is of messages. The error is why it is refused.
func (c *Client) offered(from string, offer *msrp.Description) (*download, error) {
	f := offer.File
	if f == nil {
		return nil, nil
	}
	switch {
	case offer.Direction == "recvonly":
		return nil, errors.New("files are not given out here")
	case c.cfg.AcceptFiles == "":
		return nil, errors.New("files are not taken here")
	case offer.Direction != "sendonly":
		return nil, errors.New("the offer of a file is not sendonly")
	case !f.Whole():
		return nil, errors.New("parts of files are not taken here")
	case f.Size > c.cfg.MaxFile:
		return nil, fmt.Errorf("a file of %d bytes, and %d are taken here", f.Size, c.cfg.MaxFile)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.downloads >= maxDownloads {
		return nil, errManyFiles
	}
	c.downloads++
	d := &download{client: c, from: from, file: f, most: c.cfg.MaxFile, name: file.SafeName(f.Name), check: f.NewChecker()}
	if f.Size != file.Unknown {
		d.most = f.Size
	}
	return d, nil
}

// refuseFile refuses the offer of a file, and tells the user. The file's media line
// is the only one that could be taken, so that the whole offer is refused (RFC 3264
// section 6).
func (c *Client) refuseFile(reply func(int, ...string), from string, f *file.Description, why error) {
	status := 488
	if errors.Is(why, errManyFiles) {
		status = 486
	}
	c.emit(Event{Type: "file", From: from, State: "refused", Name: file.SafeName(f.Name), ContentType: f.Type, Size: max(f.Size, 0), Reason: why.Error()})
	reply(status, "Warning", message.Warning(why.Error()))
}
