// gkeprof-unwinder is the part of the diagnostic image that is ours: one static program with a subcommand for each task.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"gkeprof-unwinder/names"
)

// commands are the subcommands. Each gets the arguments behind its name.
var commands = map[string]func(arguments []string) error{
	"names": names.Run,
}

func main() {
	var known []string
	for name := range commands {
		known = append(known, name)
	}
	slices.Sort(known)
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: gkeprof-unwinder %s\n", strings.Join(known, "|"))
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "gkeprof-unwinder %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
