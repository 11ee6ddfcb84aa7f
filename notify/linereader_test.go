package notify_test

import (
	"bufio"
	"io"
	"strings"
)

// lineReader reads what an SMTP client sends.
type lineReader struct{ r *bufio.Reader }

func newLineReader(r io.Reader) lineReader { return lineReader{bufio.NewReader(r)} }

func (l lineReader) next() (string, error) {
	line, err := l.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// untilDot reads a mail up to and including its final dot.
func (l lineReader) untilDot() (string, error) {
	var mail strings.Builder
	for {
		line, err := l.next()
		if err != nil {
			return "", err
		}
		if line == "." {
			return mail.String(), nil
		}
		mail.WriteString(strings.TrimPrefix(line, ".") + "\n")
	}
}
