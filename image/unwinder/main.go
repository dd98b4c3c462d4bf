// Command gkeprof-unwinder is the part of the diagnostic image that is ours: it walks stacks where perf cannot, of programs
// without frame pointers and of interpreted languages, and names functions that perf cannot name.
package main

import (
	"fmt"
	"os"

	"gkeprof-unwinder/names"
)

// command is a subcommand: it gets the arguments behind its name, and its error ends the program with status 1.
type command struct {
	name string
	run  func(args []string) error
}

var commands = []command{
	{"record", runRecord},
	{"look", runLook},
	{"names", names.Run},
	{"version", runVersion},
}

func main() {
	if len(os.Args) > 1 {
		for _, each := range commands {
			if each.name != os.Args[1] {
				continue
			}
			if err := each.run(os.Args[2:]); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", each.name, err)
				os.Exit(1)
			}
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: gkeprof-unwinder COMMAND [ARGUMENT…]; the commands are:")
	for _, each := range commands {
		fmt.Fprintf(os.Stderr, "  %s\n", each.name)
	}
	os.Exit(2)
}
