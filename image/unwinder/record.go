package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	profilerlog "go.opentelemetry.io/ebpf-profiler/log"
	"go.opentelemetry.io/ebpf-profiler/metrics"
	"go.opentelemetry.io/ebpf-profiler/times"
)

// runRecord samples the tasks of cgroups and writes the samples as `perf script` prints them.
//
// It is driven as perf is with --control=fd:IN,OUT: it reads `enable`, `ping` and `stop` from standard input, one command
// a line, and answers each with `ack`. It loads everything before it reads the first command, so that the recording
// begins when `enable` is acknowledged.
func runRecord(args []string) error {
	flags := flag.NewFlagSet("record", flag.ContinueOnError)
	frequency := flags.Int("frequency", 99, "samples per second and processor")
	output := flags.String("output", "", "the file for the samples")
	var cgroups []string
	flags.Func("cgroup", "directory of a cgroup whose tasks are sampled; may be repeated", func(dir string) error {
		cgroups = append(cgroups, dir)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *output == "" || len(cgroups) == 0 || flags.NArg() > 0 {
		return errors.New("it needs --cgroup DIRECTORY and --output FILE, and takes no other words")
	}
	if *frequency < 1 || *frequency > 10_000 {
		return fmt.Errorf("the frequency %d is not from 1 to 10000", *frequency)
	}
	profilerlog.SetLogger(*slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	metrics.Start(noop.Meter{})

	file, err := os.OpenFile(*output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	defer file.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	times.StartRealtimeSync(ctx, 0)

	text := newText(file, *frequency)
	sampler, err := newSampler(ctx, *frequency, cgroups, text)
	if err != nil {
		return err
	}
	defer sampler.close()
	fmt.Fprintf(os.Stderr, "ready after %.2f s\n", time.Since(text.began).Seconds())

	if err := obey(os.Stdin, os.Stdout, sampler, text); err != nil {
		return err
	}
	sampler.stop()
	// What the kernel has delivered is read once more.
	time.Sleep(3 * pollInterval)
	return text.finish(sampler.expected())
}

// obey carries out commands until `stop` or the end of the input.
func obey(in io.Reader, out io.Writer, sampler *sampler, text *text) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		switch strings.TrimSpace(lines.Text()) {
		case "enable":
			if err := sampler.start(); err != nil {
				return err
			}
		case "ping":
			if err := text.flush(); err != nil {
				return err
			}
		case "stop":
			_, err := io.WriteString(out, "ack\n")
			return err
		default:
			return fmt.Errorf("unknown command %q", lines.Text())
		}
		if _, err := io.WriteString(out, "ack\n"); err != nil {
			return err
		}
	}
	return lines.Err()
}
