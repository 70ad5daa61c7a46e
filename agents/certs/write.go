package certs

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// What holds secrets is its owner's alone.
const (
	keyMode  fs.FileMode = 0o600
	certMode fs.FileMode = 0o644
)

// pair is a certificate and its key, encoded.
type pair struct{ cert, key []byte }

func encode(der []byte, key *ecdsa.PrivateKey) (pair, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair{}, err
	}
	return pair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}, nil
}

// write puts both files in place, each whole or not at all. Without replace an
// existing one is fs.ErrExist, and neither is touched.
func (p pair) write(f Files, replace bool) error {
	if !replace {
		for _, path := range []string{f.Key, f.Cert} {
			if _, err := os.Lstat(path); err == nil {
				return &fs.PathError{Op: "write", Path: path, Err: fs.ErrExist}
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if err := writeFile(f.Key, p.key, keyMode); err != nil {
		return err
	}
	return writeFile(f.Cert, p.cert, certMode)
}

// writeFile writes beside path and renames, so that a reader sees the old file
// or the new one.
func writeFile(path string, data []byte, mode fs.FileMode) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	// CreateTemp makes 0600: the secret is never readable, not even for a moment.
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Chmod(mode); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// readPEM reads the first block of the given kind; what is wrong is said with
// the file's name.
func readPEM(path, kind string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == kind {
			return block.Bytes, nil
		}
	}
	return nil, fmt.Errorf("%s: no PEM block %q", path, kind)
}
