// Package names gives names to the frames of a text of perf script that perf could not name.
package names

import (
	"errors"
	"flag"
	"io"
	"os"
	"runtime/debug"
	"time"
)

// Run is the subcommand: the text of perf script from stdin to stdout. perf must have been asked for the fields dsoff, ip,
// sym, symoff and dso, and for --show-mmap-events, which say what was mapped where. These lines are not in the output.
func Run(arguments []string) error {
	flags := flag.NewFlagSet("names", flag.ContinueOnError)
	cache := flags.String("cache", "", "folder of perf's cache of build ids, such as ~/.debug")
	proc := flags.String("proc", "/proc", "where the processes are")
	seconds := flags.Int("seconds", 30, "seconds for reading files; frames whose files were not read by then get no names")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New("unknown argument " + flags.Arg(0))
	}
	// Below what perf itself may take. The tables have a limit of their own; this makes the garbage of reading them small.
	debug.SetMemoryLimit(768 << 20)
	files := NewFiles(*proc, *cache, time.Duration(*seconds)*time.Second)
	filter := NewFilter(files)
	if err := filter.Copy(os.Stdout, os.Stdin); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
