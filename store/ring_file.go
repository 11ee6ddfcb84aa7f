package store

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// ringFile is the form of a key ring on disk. The last key of each list is the
// current one.
type ringFile struct {
	Version int              `json:"version"`
	Index   []byte           `json:"index"` // 32 bytes, base64
	Sealing []sealingKeyFile `json:"sealing"`
	Signing []signingKeyFile `json:"signing"`
	Next    *nextFile        `json:"next,omitempty"`
	Log     *logKeyFile      `json:"log,omitempty"`
}

type nextFile struct {
	Sealing sealingKeyFile `json:"sealing"`
	Signing signingKeyFile `json:"signing"`
}

type sealingKeyFile struct {
	ID      string    `json:"id"` // 8 hexadecimal digits
	Created time.Time `json:"created"`
	Key     []byte    `json:"key"` // 32 bytes, base64
}

type signingKeyFile struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Retired time.Time `json:"retired,omitzero"`
	Key     string    `json:"key"` // PKCS #8, PEM
}

const ringVersion = 1

func readRing(path string) (keys ringKeys, err error) {
	f, err := os.Open(path)
	if err != nil {
		return keys, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat() // of what is open, not of what has the name by now
	if err != nil {
		return keys, err
	}
	if !Private(info) {
		return keys, fmt.Errorf("%s: mode %s: must be a file that only its owner can read (0600)", path, info.Mode())
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return keys, err
	}
	keys, err = decodeRing(text)
	if err != nil {
		return keys, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

func writeRing(path string, overwrite bool, keys ringKeys) error {
	text, err := keys.encode()
	if err == nil {
		err = writeFile(path, overwrite, func(f *os.File) error {
			_, err := f.Write(text)
			return errors.Join(err, ownLike(f.Name(), path))
		})
	}
	if err != nil {
		return fmt.Errorf("store: write key ring: %w", err)
	}
	return nil
}

// decodeRing keeps out of its errors what it could not read: it may be a key.
func decodeRing(text []byte) (keys ringKeys, err error) {
	var file ringFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&file) != nil {
		return keys, errors.New("not a key ring")
	}
	switch {
	case file.Version > ringVersion:
		return keys, fmt.Errorf("made by a newer version of countersign (key ring %d, this one knows %d)", file.Version, ringVersion)
	case file.Version != ringVersion || len(file.Index) != keySize:
		return keys, errors.New("not a key ring")
	case len(file.Sealing) == 0 || len(file.Signing) == 0:
		return keys, errors.New("a key ring without a key to seal or to sign with")
	}
	keys.index = file.Index
	for _, k := range file.Sealing {
		key, err := k.decode()
		if err != nil {
			return keys, err
		}
		if keys.find(key.id) != nil {
			return keys, fmt.Errorf("sealing key %s is there twice", k.ID)
		}
		keys.sealing = append(keys.sealing, key)
	}
	for _, k := range file.Signing {
		key, err := k.decode()
		if err != nil {
			return keys, err
		}
		keys.signing = append(keys.signing, key)
	}
	if file.Next != nil {
		next := nextKeys{}
		if next.sealing, err = file.Next.Sealing.decode(); err != nil {
			return keys, err
		}
		if next.signing, err = file.Next.Signing.decode(); err != nil {
			return keys, err
		}
		if keys.find(next.sealing.id) != nil {
			return keys, fmt.Errorf("sealing key %s is there twice", file.Next.Sealing.ID)
		}
		keys.next = &next
	}
	if file.Log != nil {
		if keys.log, err = file.Log.decode(); err != nil {
			return keys, err
		}
	}
	return keys, nil
}

func (k sealingKeyFile) decode() (*sealingKey, error) {
	id, err := hex.DecodeString(k.ID)
	if err != nil || len(id) != keyIDSize || len(k.Key) != keySize {
		return nil, errors.New("a malformed sealing key")
	}
	return loadSealingKey([keyIDSize]byte(id), k.Key, k.Created)
}

func (k signingKeyFile) decode() (SigningKey, error) {
	malformed := fmt.Errorf("signing key %q is malformed", k.ID)
	block, _ := pem.Decode([]byte(k.Key))
	if block == nil {
		return SigningKey{}, malformed
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return SigningKey{}, malformed
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve.Params().BitSize != 256 {
		return SigningKey{}, fmt.Errorf("signing key %q is not of P-256", k.ID)
	}
	id, err := thumbprint(&private.PublicKey)
	if err != nil || id != k.ID {
		return SigningKey{}, fmt.Errorf("signing key %q is not the key of that thumbprint", k.ID)
	}
	return SigningKey{ID: id, Created: k.Created, Retired: k.Retired, private: private}, nil
}

// same compares what would be written: a file may be laid out otherwise.
func (keys ringKeys) same(other ringKeys) bool {
	a, aErr := keys.encode()
	b, bErr := other.encode()
	return aErr == nil && bErr == nil && bytes.Equal(a, b)
}

func (keys ringKeys) encode() ([]byte, error) {
	file := ringFile{Version: ringVersion, Index: keys.index}
	for _, k := range keys.sealing {
		file.Sealing = append(file.Sealing, k.encode())
	}
	for _, k := range keys.signing {
		key, err := k.encode()
		if err != nil {
			return nil, err
		}
		file.Signing = append(file.Signing, key)
	}
	if keys.next != nil {
		key, err := keys.next.signing.encode()
		if err != nil {
			return nil, err
		}
		file.Next = &nextFile{keys.next.sealing.encode(), key}
	}
	if keys.log != nil {
		var err error
		if file.Log, err = keys.log.encode(); err != nil {
			return nil, err
		}
	}
	return json.MarshalIndent(file, "", "  ")
}

func (k *sealingKey) encode() sealingKeyFile {
	return sealingKeyFile{ID: hex.EncodeToString(k.id[:]), Created: k.created, Key: k.key}
}

func (k SigningKey) encode() (signingKeyFile, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return signingKeyFile{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return signingKeyFile{ID: k.ID, Created: k.Created, Retired: k.Retired, Key: string(text)}, nil
}
