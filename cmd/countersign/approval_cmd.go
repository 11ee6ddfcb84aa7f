package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// verifyApprovalCommand needs no configuration, no store and no server: the file and the log's key are all there is.
type verifyApprovalCommand struct {
	File   string `arg:"" help:"The approval, as a file; - is standard input."`
	LogKey string `name:"log-key" required:"" help:"The log's public key, or a file that has it. Have it from somewhere else than the approval." placeholder:"KEY"`
}

// maxApprovalFile is more than any approval has.
const maxApprovalFile = 1 << 20

// Run prints what the approval proves, or ends with what is wrong with it.
func (c *verifyApprovalCommand) Run(g *globals) error {
	key, err := readLogKey(c.LogKey)
	if err != nil {
		return usageError{err}
	}
	text, err := readBounded(g.stdin, c.File, maxApprovalFile)
	if err != nil {
		return usageError{err}
	}
	approval, err := audit.ParseApproval(text)
	if err != nil {
		return g.proveNothing(c.File, err)
	}
	checked, err := approval.Verify(key)
	if err != nil {
		return g.proveNothing(c.File, err)
	}
	printApproval(g.stdout, approval, checked, key)
	return nil
}

// proveNothing says what is wrong with a file, one thing a line.
func (g *globals) proveNothing(file string, err error) error {
	fmt.Fprintf(g.stderr, "countersign: %s proves nothing. What is wrong:\n", file)
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(g.stderr, "  - %s\n", strings.TrimSpace(line))
	}
	return exitError(exitFailure)
}

// readLogKey takes the key itself, or the name of a file that has it.
func readLogKey(given string) (audit.LogKey, error) {
	key, err := audit.ParseLogKey(given)
	if err == nil {
		return key, nil
	}
	text, missing := readBounded(nil, given, 4<<10)
	if errors.Is(missing, fs.ErrNotExist) {
		return key, fmt.Errorf("--log-key: there is no such file, and it is no key: %w", err)
	}
	if missing != nil {
		return key, fmt.Errorf("--log-key: %w", missing)
	}
	if key, err = audit.ParseLogKey(string(text)); err != nil {
		return key, fmt.Errorf("--log-key: %s: %w", given, err)
	}
	return key, nil
}

// readBounded reads a file, or standard input under the name -. The error names it.
func readBounded(stdin io.Reader, name string, most int64) (text []byte, err error) {
	from, called := stdin, "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from, called = f, name
	}
	if from == nil {
		return nil, errors.New("standard input is not read here")
	}
	if text, err = io.ReadAll(io.LimitReader(from, most+1)); err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("read %s: it has more than %d bytes", called, most)
	}
	return text, nil
}

// printApproval tells somebody who knows nothing of signatures what they hold.
func printApproval(w io.Writer, a *audit.Approval, c *audit.Checked, key audit.LogKey) {
	d := &c.Document
	at := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
	say := func(head, format string, args ...any) {
		fmt.Fprintf(w, "%-7s"+format+"\n", append([]any{head}, args...)...)
	}
	fmt.Fprintln(w, "The approval holds: it was signed as it stands here, and entered in the log.")
	fmt.Fprintln(w)

	who := "person " + d.By.Person
	if d.By.Name != "" {
		who = fmt.Sprintf("%s (%s)", quiet(d.By.Name), who)
	}
	say("Who", "%s", who)
	if d.By.Role != "" {
		say("", "as %s%s", strings.ReplaceAll(string(d.By.Role), "_", " "), given(", by appointment ", d.By.Appointment))
	}
	fmt.Fprintln(w)

	decided := "approved"
	if d.Decision == proofing.DecideRefuse {
		decided = "refused"
	}
	say("What", "%s: %s of %s %s, as it was after its entry %d", decided, strings.ReplaceAll(quiet(d.Step), "_", " "), d.Subject.Of, d.Subject.Object, d.Subject.Number)
	if o := d.Organization; o != nil {
		say("", "organization: %s%s%s", quiet(o.Name), given(", number ", o.Number), given(", ", o.Jurisdiction))
	}
	if d.Identifier != nil {
		say("", "identifier: %s %s", quiet(d.Identifier.Type), quiet(d.Identifier.Value))
	}
	if d.CA != "" {
		say("", "certificate authority: %s%s", quiet(d.CA), given(", profile ", d.Profile))
	}
	if d.Applicant != nil {
		say("", "applicant: %s%s", strings.ReplaceAll(string(d.Applicant.Kind), "_", " "), given(" ", d.Applicant.Key))
	}
	if d.CSR != nil {
		say("", "certificate request: SHA-256 %s%s%s", quiet(d.CSR.Digest), given(", key ", d.CSR.Key), given(", ", d.CSR.Subject))
	}
	if d.Proposed != "" {
		say("", "proposed policy: %s", quiet(d.Proposed))
	}
	if d.Reason != "" {
		say("", "reason: %s", quiet(d.Reason))
	}
	say("", "policy in force: %s", quiet(d.Policy))
	say("", "the text that was shown and signed (language %s):", quiet(d.Shown.Language))
	for line := range strings.Lines(d.Shown.Text) {
		say("", "  | %s", quiet(line))
	}
	fmt.Fprintln(w)

	say("When", "shown at %s, to be signed by %s", at(d.Made), at(d.NotAfter))
	say("", "entered in the log at %s, as entry %d", at(c.Decided.At), a.Decision.Index)
	fmt.Fprintln(w)

	say("How", "with the passkey %s, which had verified its user by PIN, fingerprint or face,", d.Credential)
	say("", "at %s", a.Signature.Origin)
	kept := "it says of itself that it cannot leave its device"
	if c.Synced {
		kept = "it may be copied to other devices of its owner"
	}
	say("", "the passkey: %s", kept)
	say("", "it was enrolled for this person at %s, as entry %d of the log, which is before the decision", at(c.Enrolled.At), a.Enrolment.Index)
	say("", "both entries are in the log %s, by a checkpoint that its key has signed", key.Name())
	fmt.Fprintln(w)
	fmt.Fprintln(w, "Not shown by this file: whether the passkey was taken away from its person between the two entries, and whether")
	fmt.Fprintln(w, "the approval was still good when a certificate was issued. The whole log says that.")
}

// given is a part of a sentence, if there is anything to put into it.
func given(before, value string) string {
	if value == "" {
		return ""
	}
	return before + quiet(value)
}

// quiet is text that others chose as a terminal may show it: no control characters, and none that turn the direction of writing.
func quiet(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\u200c' || r == '\u200d' || r == '\u00a0' || unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}
