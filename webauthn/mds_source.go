package webauthn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Source has the newest edition of the metadata, as the signed BLOB.
type Source interface {
	Fetch(ctx context.Context) ([]byte, error)
}

// Keeper has the last good edition.
type Keeper interface {
	// Load returns nil if nothing is kept.
	Load(ctx context.Context) ([]byte, error)
	// Save replaces what is kept, as a whole or not at all.
	Save(ctx context.Context, blob []byte) error
}

// maxBlob bounds an edition in bytes; FIDO's has some 10 MiB.
const maxBlob = 32 << 20

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBlob+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBlob {
		return nil, fmt.Errorf("more than %d bytes", maxBlob)
	}
	return data, nil
}

// File is the path of an edition that somebody puts there: a service without a way out
// has its metadata so.
type File string

// Fetch reads the file.
func (f File) Fetch(context.Context) ([]byte, error) {
	file, err := os.Open(string(f))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", string(f), err)
	}
	return data, nil
}

// URL is where an edition can be fetched.
type URL struct {
	Address string
	// Client makes the request; nil means http.DefaultClient. Redirects are not followed.
	Client *http.Client
}

const fetchTimeout = 2 * time.Minute

// Fetch makes one request.
func (u URL) Fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.Address, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{}
	if u.Client != nil {
		client = *u.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: status %d", u.Address, res.StatusCode)
	}
	data, err := readBounded(res.Body)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", u.Address, err)
	}
	return data, nil
}

// KeptFile is the path of a file that keeps the last good edition. Processes may share it.
type KeptFile string

// Load reads the file, if it is there.
func (k KeptFile) Load(ctx context.Context) ([]byte, error) {
	data, err := File(k).Fetch(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Save writes a file beside it and renames that, so that a crash leaves the old one or
// the new one.
func (k KeptFile) Save(_ context.Context, blob []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(string(k)), filepath.Base(string(k))+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(blob)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), string(k))
}
