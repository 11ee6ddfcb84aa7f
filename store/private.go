//go:build unix

package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Private says whether a file is kept from everybody but its owner and us. A file of
// root's may be read by one group besides: that is how root lets a service read what it must
// not change. systemd hands out credentials so, and Kubernetes secrets.
// PostgreSQL draws the same line for its keys.
func Private(info fs.FileInfo) bool {
	if !info.Mode().IsRegular() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return private(info.Mode().Perm(), ok && stat.Uid == 0, os.Geteuid() == 0)
}

func private(mode fs.FileMode, rootsFile, root bool) bool {
	if rootsFile && !root { // root itself needs no group
		return mode&0o037 == 0
	}
	return mode&0o077 == 0
}

// ownLike gives a file that root has made the owner of another, or of the folder
// that it is in if there is no other. Otherwise a command that an administrator
// runs as root would leave the service a store or a key ring that it cannot open.
func ownLike(path, other string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(other)
	if os.IsNotExist(err) {
		info, err = os.Stat(filepath.Dir(other))
	}
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Lchown(path, int(stat.Uid), int(stat.Gid))
}
