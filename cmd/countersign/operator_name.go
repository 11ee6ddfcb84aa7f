package main

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"unicode"
)

// mostOperator is how long the name of who runs a command may be.
const mostOperator = 100

// operator is who runs the command, for the log: by their own word, or the user that this machine knows them as, also behind sudo. Nobody proves it: whoever
// may run commands here may say anything.
func (g *globals) operator() (string, error) {
	if g.by != "" {
		name := strings.TrimSpace(g.by)
		if name == "" || len(name) > mostOperator || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return "", usagef("--by must be a name of at most %d bytes that can be printed", mostOperator)
		}
		return name, nil
	}
	name := "uid " + strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if before, there := environment(g.environ)("SUDO_USER"); there && before != "" && before != name {
		name = before + " as " + name
	}
	name = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	return strings.ToValidUTF8(name[:min(len(name), mostOperator)], ""), nil
}
