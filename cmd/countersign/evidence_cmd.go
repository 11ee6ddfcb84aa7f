package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

type evidenceCommand struct {
	Write     evidenceWriteCommand     `cmd:"" default:"withargs" help:"Write all that a request or a certificate rests on into one file: certificate, order, account, key, what was proved, who approved, each with its proof from the log."`
	Approvals evidenceApprovalsCommand `cmd:"" help:"Write each decision about a request into a file of its own: the document, the signature, and the log's proofs."`
	Verify    evidenceVerifyCommand    `cmd:"" help:"Check such a file, with the log's key alone, and say what it proves."`
}

type evidenceWriteCommand struct {
	Name string `arg:"" help:"A request by its id, or a certificate by the SHA-256 of its DER or by its serial number (hexadecimal)."`
	Out  string `help:"The file, which must not be there." required:"" placeholder:"FILE"`
}

func (c *evidenceWriteCommand) Run(g *globals) error {
	return g.auditing(func(a *admin, t *audit.Tree) error {
		chain, subject, object, err := a.chain(c.Name)
		if err != nil {
			return unlogged(err)
		}
		e, err := t.Evidence(a.ctx, chain, subject, object)
		if _, large := errors.AsType[*audit.EvidenceSizeError](err); large {
			return usagef("no file was written: %w. That of one certificate has less in it than that of a request with all of its certificates; each decision has a file of its own by `countersign evidence approvals`, and the whole log is written by `countersign audit export`", err)
		}
		if err != nil {
			return unlogged(err)
		}
		text, err := e.Text()
		if err != nil {
			return err
		}
		if err := writeNew(c.Out, text); err != nil {
			return err
		}
		h, err := t.Head(a.ctx)
		if err != nil {
			return err
		}
		a.say("wrote the evidence of the %s %s to %s, with names and addresses that are not erased: give it to auditors alone", subject, object, c.Out)
		a.say("check it anywhere with: countersign evidence verify %s --log-key '%s'", c.Out, h.Verifier)
		return nil
	})
}

// unlogged says what to do about what is not in the log yet.
func unlogged(err error) error {
	if errors.Is(err, proofing.ErrUnlogged) {
		return fmt.Errorf("%w: a running service takes two seconds for it; try again", err)
	}
	return err
}

// chain finds what somebody means.
func (a *admin) chain(name string) (*proofing.Chain, proofing.Subject, string, error) {
	if _, ok := proofing.IDBucket(name); ok {
		chain, err := a.service.ChainOfCase(a.ctx, name)
		if err == nil || !errors.Is(err, proofing.ErrNotFound) {
			return chain, proofing.SubjectCase, name, err
		}
	}
	certificates, err := a.service.CertificatesNamed(a.ctx, name)
	if err != nil {
		return nil, "", "", err
	}
	switch len(certificates) {
	case 0:
		return nil, "", "", usagef("there is no request and no certificate %q: `countersign case list` shows requests; a certificate is known once its CA has told of it", name)
	case 1:
		chain, err := a.service.ChainOfCertificate(a.ctx, certificates[0])
		return chain, proofing.SubjectCertificate, certificates[0].ID, err
	}
	var all []string
	for _, c := range certificates {
		all = append(all, fmt.Sprintf("%s (%s)", hexDigest(c.Digest), c.CA))
	}
	return nil, "", "", usagef("there are several certificates with the serial number %s; name one by its SHA-256: %s", name, strings.Join(all, ", "))
}

// hexDigest is a digest as people compare it.
func hexDigest(digest string) string {
	var raw proofing.Octets
	if err := raw.UnmarshalText([]byte(digest)); err != nil {
		return digest
	}
	return hex.EncodeToString(raw)
}

// writeNew writes a file for its owner alone, and none in the place of another.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%s is there already", path)
	}
	if err != nil {
		return usageError{err}
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(path)) // a part of it proves nothing
	}
	return nil
}

// evidenceVerifyCommand needs no configuration, no store and no server.
type evidenceVerifyCommand struct {
	File   string `arg:"" help:"The evidence, as a file; - is standard input."`
	LogKey string `name:"log-key" required:"" help:"The log's public key, or a file that has it. Have it from somewhere else than the evidence." placeholder:"KEY"`
	Kept   string `name:"checkpoint" help:"A file with a checkpoint of the log that was kept: the evidence must be of the same history." placeholder:"FILE"`
	Proof  string `name:"consistency" help:"A file with the proof between that checkpoint and the evidence's, as \"countersign audit consistency\" printed it." placeholder:"FILE"`
}

// Run prints what the evidence proves, or ends with what is wrong with it.
func (c *evidenceVerifyCommand) Run(g *globals) error {
	key, err := readLogKey(c.LogKey)
	if err != nil {
		return usageError{err}
	}
	text, err := readBounded(g.stdin, c.File, audit.MostEvidence)
	if err != nil {
		return usageError{err}
	}
	p, err := audit.VerifyEvidence(text, key)
	if err != nil {
		return g.proveNothing(c.File, err)
	}
	if err := c.compareKept(g, p.Evidence, key); err != nil {
		return err
	}
	printEvidence(g.stdout, p)
	return nil
}

// compareKept holds the evidence against a checkpoint that whoever checks it has kept: an operator who has two histories under one name is found by that.
func (c *evidenceVerifyCommand) compareKept(g *globals, e *audit.Evidence, key audit.LogKey) error {
	if c.Kept == "" {
		if c.Proof != "" {
			return usagef("--consistency goes with --checkpoint: it is between the evidence and a checkpoint that you have kept")
		}
		return nil
	}
	kept, err := readBounded(nil, c.Kept, maxCheckpoint)
	if err != nil {
		return usageError{err}
	}
	var proof *audit.Consistency
	if c.Proof != "" {
		text, err := readBounded(nil, c.Proof, maxCheckpoint)
		if err != nil {
			return usageError{err}
		}
		if _, proof, err = audit.ReadProof(text); err != nil || proof == nil {
			return usagef("%s is no proof of consistency (%v)", c.Proof, err)
		}
	}
	err = audit.AgreesWith(string(kept), e.Checkpoint, key.String(), proof)
	if errors.Is(err, audit.ErrProofNeeded) {
		return usagef("%w. Whoever runs the log gets it by `countersign audit consistency OLDER NEWER`, of these two files, the one of fewer entries first; give it as --consistency", err)
	}
	if err != nil {
		return g.proveNothing(c.File, fmt.Errorf("it is of another history than %s: %w", c.Kept, err))
	}
	return nil
}
