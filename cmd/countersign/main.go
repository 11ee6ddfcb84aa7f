// Command countersign says who is behind an ACME account, and how sure we are.
// This package is the only one that knows all the others: it reads the
// configuration, builds the program from it, and has one file for each subcommand.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	told := make(chan os.Signal, 2)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-told
		stop()
		again := <-told // who says it twice means now
		os.Exit(exitSignal + int(again.(syscall.Signal)))
	}()
	os.Exit(run(ctx, os.Args[1:], &globals{
		environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now,
	}))
}

// commands is the command tree; what is parsed into it is run by its Run method.
type commands struct {
	ConfigFile string `name:"config" help:"The configuration file; ${default} unless given." default:"countersign.yaml" env:"COUNTERSIGN_CONFIG" placeholder:"FILE"`
	By         string `help:"Who you are, for the log; the name of this machine's user unless given." env:"COUNTERSIGN_BY" placeholder:"NAME"`

	Serve          serveCommand          `cmd:"" help:"Run the service."`
	Demo           demoCommand           `cmd:"" help:"Try it out: everything in a temporary folder, with a mailbox instead of providers."`
	Doctor         doctorCommand         `cmd:"" help:"Say which of the configured parts answer."`
	Healthcheck    healthcheckCommand    `cmd:"" help:"Ask the running service whether it can serve."`
	Config         configCommand         `cmd:"" help:"Check the configuration, or print one to begin with."`
	CA             caCommand             `cmd:"" name:"ca" help:"Manage the certificate authorities that may call."`
	Webhook        webhookCommand        `cmd:"" help:"Tell CAs of changes."`
	EAB            eabCommand            `cmd:"" name:"eab" help:"Show, revoke and export external account binding keys."`
	Registry       registryCommand       `cmd:"" help:"Say who may have certificates for which identifiers."`
	Case           caseCommand           `cmd:"" help:"Look at requests, restore a frozen one, revoke one."`
	Address        addressCommand        `cmd:"" help:"Take an address from a person who has lost it."`
	Person         personCommand         `cmd:"" help:"Let a person use their recovery codes again after too many wrong ones."`
	Representative representativeCommand `cmd:"" help:"Say who may record the identity proofing of others."`
	Admin          administratorCommand  `cmd:"" help:"Name the first administrators, and another one when they cannot."`
	Policy         policyCommand         `cmd:"" help:"Show which policy two administrators have approved, and what is proposed."`
	Limits         limitsCommand         `cmd:"" help:"Lift a block, or a brake on text messages."`
	Audit          auditCommand          `cmd:"" help:"Check, prove and export the log of everything that was done."`
	Evidence       evidenceCommand       `cmd:"" help:"Write what a request or a certificate rests on into one file, or check one."`
	Keys           keysCommand           `cmd:"" help:"Replace the keys that records are sealed and statements are signed with."`
	Backup         backupCommand         `cmd:"" help:"Copy the store to a new file, while it is in use."`
	Restore        restoreCommand        `cmd:"" help:"Put a backup in place as the store."`
	Store          storeCommand          `cmd:"" help:"Move the store between a file and Redis."`
	Assess         assessCommand         `cmd:"" help:"Say what levels a JSON document of evidence earns."`
	VerifyApproval verifyApprovalCommand `cmd:"" help:"Check a decision that was signed, with the file and the log's key alone."`
	Conformance    conformanceCommand    `cmd:"" help:"Ask an ACME server whether it does what RFC 8555 demands."`
	Version        versionCommand        `cmd:"" help:"Print the version."`
}

// globals is what every command gets: the world around the process, so that
// tests run the real program.
type globals struct {
	ctx        context.Context
	configFile string
	by         string // who runs the command, by their own word; empty: whoever this machine knows them as
	environ    []string
	stdin      io.Reader
	stdout     io.Writer
	stderr     io.Writer
	now        func() time.Time
	// exit ends the process at once, and stopMost bounds a stop besides listeners.drain. Nil: os.Exit,
	// and the constant of that name.
	exit     func(code int)
	stopMost time.Duration
}

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2   // the call or the input is wrong: trying again changes nothing
	exitSignal  = 128 // and the number of the signal that ended it at once, as shells count
)

// usageError is a mistake in what somebody typed or wrote.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError ends the program with a code, of which everything has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// exit is how the parser ends the program after --help; see parse.
type exit int

// run is main without the process.
func run(ctx context.Context, args []string, g *globals) (code int) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case exit:
			code = int(v)
		default:
			panic(v)
		}
	}()
	var c commands
	parser, err := kong.New(&c,
		kong.Name("countersign"),
		kong.Description("Says who is behind an ACME account, and how sure we are."),
		kong.Writers(g.stdout, g.stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the tree itself is wrong, and no test has run
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(g.stderr, "countersign: %v\ncountersign: try --help\n", err)
		return exitUsage
	}
	g.ctx, g.configFile, g.by = ctx, c.ConfigFile, c.By
	if err := command.Run(g); err != nil {
		return g.fail(err)
	}
	return exitOK
}

// fail prints an error as its kind deserves and returns the exit code.
func (g *globals) fail(err error) int {
	if said, ok := errors.AsType[exitError](err); ok {
		return int(said)
	}
	if mistakes, ok := errors.AsType[configError](err); ok {
		mistakes.print(g.stderr)
		return exitUsage
	}
	fmt.Fprintf(g.stderr, "countersign: %v\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailure
}
