//go:build unix && !aix && !solaris

package audit

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the lock on a file; false if somebody else has it. It is gone once the file is closed, and so with the process. Where the file system has no
// locks there is none, and everybody goes on as if they were alone.
func lock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil, errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK):
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, err
		}
	}
}
