package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/countersign-id/countersign/proofing"
)

// assessUsage is what `countersign assess -h` prints.
const assessUsage = `usage: countersign assess [FILE]

Reads a JSON document of evidence from FILE, or from standard input, and prints
the levels of NIST SP 800-63 that it earns, with the clause behind each. Exits
with 2, and a line for each mistake, if the document is not what it should be.
`

// runAssess is the subcommand assess: the label rules without a server.
func runAssess(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("assess", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, assessUsage)
		return 0
	case err != nil, flags.NArg() > 1:
		fmt.Fprint(stderr, assessUsage)
		return 2
	}
	if err := assess(flags.Arg(0), stdin, stdout, stderr); err != nil {
		if !errors.Is(err, errMistakes) {
			fmt.Fprintf(stderr, "countersign assess: %v\n", err)
		}
		return 2
	}
	return 0
}

// errMistakes says that the document's mistakes were printed already.
var errMistakes = errors.New("mistakes in the document")

// assess reads the named file, or standard input if there is no name.
func assess(file string, stdin io.Reader, stdout, stderr io.Writer) error {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		stdin = f
	}
	in, mistakes := proofing.DecodeAssessInput(stdin)
	for _, m := range mistakes {
		fmt.Fprintln(stderr, m)
	}
	if len(mistakes) > 0 {
		return errMistakes
	}
	out := json.NewEncoder(stdout)
	out.SetIndent("", "  ")
	return out.Encode(in.Assess())
}
