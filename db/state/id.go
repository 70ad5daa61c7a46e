package state

import (
	"crypto/rand"
	"strconv"
	"time"
)

// NewID is a name for a new row. Later ones sort behind earlier ones, so that rows
// that are written together stand together: one page of the file holds several.
func NewID() string { return strconv.FormatInt(time.Now().UnixNano(), 36) + rand.Text()[:8] }
