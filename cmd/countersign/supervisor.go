package main

import (
	"fmt"
	"net"
	"time"
)

// supervisor is whoever started us and wants to know how we are: systemd, or what speaks
// like it (sd_notify(3)). The zero value is nobody.
type supervisor struct{ socket string }

func newSupervisor(environ []string) supervisor {
	socket, _ := environment(environ)("NOTIFY_SOCKET")
	return supervisor{socket}
}

// The words that a supervisor knows.
const (
	sayReady    = "READY=1"
	sayStopping = "STOPPING=1"
)

const tellTimeout = time.Second

// tell sends one word. A socket that begins with @ has no file; net knows that form too.
func (s supervisor) tell(word string) error {
	if s.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the supervisor %s: %w", word, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(tellTimeout)) // one that does not read holds up nothing
	if _, err := conn.Write([]byte(word)); err != nil {
		return fmt.Errorf("tell the supervisor %s: %w", word, err)
	}
	return nil
}

// tellSupervisor tells how we are. Whoever waits for the word in vain will stop us, so
// that it could not be said is worth a line.
func (a *app) tellSupervisor(word string) {
	if err := a.supervisor.tell(word); err != nil {
		a.log.Error("supervisor not told", "error", err)
	}
}
