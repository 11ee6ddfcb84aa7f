package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// file is one entry of an archive: a text, or the content of another file.
type file struct {
	name string
	text []byte
	from string
	mode fs.FileMode // 0644 unless set
}

// writeArchive writes files under one folder. Nothing of this machine gets into it: times are that of
// the commit, owners are root, and the order is that of the list.
func writeArchive(path, folder string, files []file, at time.Time) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, e := range files {
		if err := e.write(t, folder, at); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func (e file) write(t *tar.Writer, folder string, at time.Time) error {
	text := e.text
	if e.from != "" {
		f, err := os.Open(e.from)
		if err != nil {
			return err
		}
		text, err = io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	mode := e.mode
	if mode == 0 {
		mode = 0o644
	}
	err := t.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: folder + "/" + e.name, Size: int64(len(text)), Mode: int64(mode),
		ModTime: at.UTC().Truncate(time.Second), Format: tar.FormatUSTAR,
	})
	if err != nil {
		return err
	}
	_, err = t.Write(text)
	return err
}
