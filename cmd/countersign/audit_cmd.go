package main

import (
	"errors"
	"fmt"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

type auditCommand struct {
	Key         auditKeyCommand         `cmd:"" help:"Print the key that the log is checked by. Give it to whoever is to check evidence."`
	Checkpoint  auditCheckpointCommand  `cmd:"" help:"Print the log's last signed checkpoint. Whoever keeps it can find every later change of what it covers."`
	Verify      auditVerifyCommand      `cmd:"" help:"Replay the whole log and check everything in it; or check an export, without a store."`
	Export      auditExportCommand      `cmd:"" help:"Write the log up to its last checkpoint into an empty folder, names and addresses included."`
	Proof       auditProofCommand       `cmd:"" help:"Prove that an entry is in the log."`
	Consistency auditConsistencyCommand `cmd:"" help:"Prove that the log begins like that of an older checkpoint."`
	Check       auditCheckCommand       `cmd:"" help:"Check a proof of either kind, with the log's key alone."`
	AcceptLoss  auditAcceptLossCommand  `cmd:"" help:"Go on with a log that has less than the checkpoint file shows, after an older backup had to be restored."`
}

// auditing runs a command on the log's tree.
func (g *globals) auditing(work func(a *admin, t *audit.Tree) error) error {
	return g.administer(false, func(a *admin) error {
		err := work(a, a.storage.tree(a.config, a.service, a.now))
		if errors.Is(err, proofing.ErrNotFound) {
			return usagef("the log has no checkpoint yet: a running service makes the first one with the first entry (%w)", err)
		}
		return err
	})
}

type auditKeyCommand struct{}

func (auditKeyCommand) Run(g *globals) error {
	return g.auditing(func(_ *admin, t *audit.Tree) error {
		h, err := t.Head(g.ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(g.stdout, h.Verifier)
		return err
	})
}

type auditCheckpointCommand struct{}

func (auditCheckpointCommand) Run(g *globals) error {
	return g.auditing(func(_ *admin, t *audit.Tree) error {
		text, err := t.Checkpoint(g.ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(g.stdout, text)
		return err
	})
}

type auditVerifyCommand struct {
	Dir    string   `help:"Check the export in this folder; no store is needed." placeholder:"DIR"`
	LogKey string   `name:"log-key" help:"The log's key, as \"countersign audit key\" printed it; with --dir." placeholder:"KEY"`
	Kept   []string `name:"checkpoint" help:"A file with a checkpoint that was kept, which the export must begin like; with --dir. May be given several times." placeholder:"FILE"`
}

func (c *auditVerifyCommand) Run(g *globals) error {
	switch {
	case (c.Dir == "") != (c.LogKey == ""):
		return usagef("--dir and --log-key go together: without the key anybody could have made the export")
	case c.Dir == "" && c.Kept != nil:
		return usagef("--checkpoint goes with --dir: what the store has, `countersign audit consistency FILE` holds against a checkpoint")
	case c.Dir != "":
		var kept []string
		for _, name := range c.Kept {
			text, err := readBounded(nil, name, maxCheckpoint)
			if err != nil {
				return usageError{err}
			}
			kept = append(kept, string(text))
		}
		v, err := audit.VerifyExport(c.Dir, c.LogKey, kept...)
		if errors.Is(err, audit.ErrExportOlder) {
			return usagef("%w. It does not have what came after it: have a newer one made by `countersign audit export`", err)
		}
		if err != nil {
			return fmt.Errorf("the export is not whole: %w", err)
		}
		return g.tellVerdict(v)
	}
	return g.administer(false, func(a *admin) error {
		v, err := a.storage.tree(a.config, a.service, a.now).Verify(a.ctx, a.service)
		if err != nil {
			return fmt.Errorf("the log is not whole: %w", err)
		}
		return g.tellVerdict(v)
	})
}

func (g *globals) tellVerdict(v audit.Verdict) error {
	_, err := fmt.Fprintf(g.stdout, "%d entries of %d objects are whole; the checkpoint covers %d of them; of %d the private part is erased\n", v.Entries, v.Objects, v.Covered, v.Erased)
	return err
}

type auditExportCommand struct {
	Dir string `arg:"" help:"The folder, which must be empty or not there." placeholder:"DIR"`
}

func (c *auditExportCommand) Run(g *globals) error {
	return g.auditing(func(a *admin, t *audit.Tree) error {
		checkpoint, err := t.Export(a.ctx, c.Dir)
		if err != nil {
			return err
		}
		h, err := t.Head(a.ctx)
		if err != nil {
			return err
		}
		a.say("exported %d entries to %s, with names and addresses that are not erased: keep it where only auditors can read it", checkpoint.Size, c.Dir)
		a.say("check it anywhere with: countersign audit verify --dir %s --log-key '%s'", c.Dir, h.Verifier)
		return nil
	})
}

type auditProofCommand struct {
	Index int64 `arg:"" help:"The place of the entry in the log, from 0 on."`
}

func (c *auditProofCommand) Run(g *globals) error {
	return g.auditing(func(a *admin, t *audit.Tree) error {
		e, _, err := a.service.LogEntry(a.ctx, c.Index)
		if errors.Is(err, proofing.ErrNotFound) {
			return usagef("there is no entry %d in the log", c.Index)
		}
		if err != nil {
			return err
		}
		p, err := t.Prove(a.ctx, c.Index, e.Leaf)
		if err != nil {
			return err
		}
		return writeJSON(a.stdout, p)
	})
}

type auditConsistencyCommand struct {
	Old   string `arg:"" help:"A file with the older checkpoint, or evidence that rests on it." placeholder:"FILE"`
	Newer string `arg:"" optional:"" help:"A file with the newer one, or evidence that rests on it; the last one of the log, if none is named." placeholder:"FILE"`
}

func (c *auditConsistencyCommand) Run(g *globals) error {
	old, err := readCheckpoint(c.Old)
	if err != nil {
		return usagef("the older checkpoint: %w", err)
	}
	newer := ""
	if c.Newer != "" {
		if newer, err = readCheckpoint(c.Newer); err != nil {
			return usagef("the newer checkpoint: %w", err)
		}
	}
	return g.auditing(func(a *admin, t *audit.Tree) error {
		p, err := t.ProveConsistent(a.ctx, old, newer)
		if errors.Is(err, audit.ErrOrder) {
			return usagef("%w: `countersign audit consistency %s %s`", err, c.Newer, c.Old)
		}
		if err != nil {
			return err
		}
		return writeJSON(a.stdout, p)
	})
}

// readCheckpoint reads a checkpoint from a file of its own, or the one that evidence rests on.
func readCheckpoint(name string) (string, error) {
	text, err := readBounded(nil, name, audit.MostEvidence)
	if err != nil {
		return "", err
	}
	if e, err := audit.ParseEvidence(text); err == nil {
		return e.Checkpoint, nil
	}
	return string(text), nil
}

// maxCheckpoint is more than any checkpoint or proof has, in bytes.
const maxCheckpoint = 256 << 10

// auditCheckCommand needs no configuration, no store and no server.
type auditCheckCommand struct {
	File   string `arg:"" help:"The proof, as a file; - is standard input."`
	LogKey string `name:"log-key" required:"" help:"The log's public key, or a file that has it. Have it from somewhere else than the proof." placeholder:"KEY"`
}

func (c *auditCheckCommand) Run(g *globals) error {
	key, err := readLogKey(c.LogKey)
	if err != nil {
		return usageError{err}
	}
	text, err := readBounded(g.stdin, c.File, maxCheckpoint)
	if err != nil {
		return usageError{err}
	}
	in, of, err := audit.ReadProof(text)
	if err != nil {
		return g.proveNothing(c.File, err)
	}
	if in != nil {
		at, err := in.Verify(key.String())
		if err != nil {
			return g.proveNothing(c.File, err)
		}
		_, err = fmt.Fprintf(g.stdout, "entry %d is in the log of %s, whose checkpoint has %d entries:\n%q\n", in.Index, at.Origin, at.Size, in.Leaf)
		return err
	}
	older, newer, err := of.Verify(key.String())
	if err != nil {
		return g.proveNothing(c.File, err)
	}
	_, err = fmt.Fprintf(g.stdout, "the log of %s with %d entries begins with that of %d: nothing in these was changed or taken away. Compare both checkpoints with those that you keep:\n%s\n%s", newer.Origin, newer.Size, older.Size, of.Old, of.New)
	return err
}

type auditAcceptLossCommand struct{}

func (auditAcceptLossCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		t := a.storage.tree(a.config, a.service, a.now)
		if t.Anchor.Path == "" {
			return usagef("audit.checkpoint_file is not set: there is nothing that shows a loss")
		}
		err := t.Admit(a.ctx)
		loss, lost := errors.AsType[*audit.LossError](err)
		switch {
		case err == nil:
			return usagef("nothing is lost: the log of the store has everything that %s shows", t.Anchor.Path)
		case !lost:
			return err
		}
		// The log says it first: if the process dies here, it says it twice.
		if err := a.service.AcceptLoss(a.ctx, loss.Size, loss.Was, loss.Root.String()); err != nil {
			return err
		}
		aside, err := t.Anchor.PutAside(loss)
		if err != nil {
			return err
		}
		a.say("the log goes on from its %d entries, and says so in an entry; what was lost it had said in a checkpoint of %d, which is kept in %s", loss.Size, loss.Was, aside)
		a.say("whoever keeps checkpoints will find that this log does not begin like theirs: tell them, and give them %s", aside)
		return nil
	})
}
