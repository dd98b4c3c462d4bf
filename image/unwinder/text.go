package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/ebpf-profiler/libpf"
	"go.opentelemetry.io/ebpf-profiler/reporter/samples"

	"gkeprof-unwinder/symbols"
)

// text writes samples as `perf script -F comm,pid,tid,cpu,time,period,event,ip,sym,dso` does, so that whatever reads perf's
// text reads this. It is the profiler's reporter.
type text struct {
	mutex   sync.Mutex
	writer  *bufio.Writer
	period  uint64
	began   time.Time
	objects *objects
	written uint64
	latest  uint64 // time of the last sample, in nanoseconds
}

func newText(file *os.File, frequency int) *text {
	text := &text{
		writer:  bufio.NewWriterSize(file, 64<<10),
		period:  1_000_000_000 / uint64(frequency),
		objects: newObjects(),
		began:   time.Now(),
	}
	return text
}

// ReportTraceEvent writes one sample.
func (t *text) ReportTraceEvent(trace *libpf.Trace, meta *samples.TraceEventMeta) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	nanoseconds := uint64(meta.Timestamp)
	t.latest = max(t.latest, nanoseconds)
	fmt.Fprintf(t.writer, "%s %d/%d [%03d] %d.%06d: %d cpu-clock:\n", oneLine(meta.Comm.String()), meta.PID, meta.TID,
		meta.CPU, nanoseconds/1e9, nanoseconds%1e9/1e3, t.period)
	for _, handle := range trace.Frames {
		frame := handle.Value()
		if frame.Type.IsError() {
			t.line(0, "[unknown]", "[unwinding ended: "+failure(uint64(frame.AddressOrLineno))+"]")
			continue
		}
		t.frame(&frame)
	}
	t.written++
	_, err := t.writer.WriteString("\n")
	return err
}

func (t *text) frame(frame *libpf.Frame) {
	switch frame.Type.Interpreter() {
	case libpf.Kernel:
		object := "[kernel.kallsyms]"
		if frame.Mapping.Valid() {
			if name := frame.Mapping.Value().File.Value().FileName.String(); name != "" && name != "vmlinux" {
				object = "[" + name + "]"
			}
		}
		t.line(uint64(frame.AddressOrLineno), orUnknown(frame.FunctionName.String()), object)
	case libpf.Native, libpf.Go:
		t.native(frame)
	default:
		t.line(0, functionName(frame), place(frame))
	}
}

func (t *text) native(frame *libpf.Frame) {
	if !frame.Mapping.Valid() {
		t.line(uint64(frame.AddressOrLineno), "[unknown]", "[unknown]")
		return
	}
	mapping := frame.Mapping.Value()
	address := uint64(frame.AddressOrLineno)
	path, name := t.objects.lookup(mapping.File, address)
	if frame.FunctionName != libpf.NullString {
		name = frame.FunctionName.String()
	}
	if name == "" {
		path = fmt.Sprintf("%s+0x%x", path, address-uint64(mapping.Start)+mapping.FileOffset)
	}
	t.line(address, orUnknown(symbols.Demangled(name)), path)
}

// line writes a frame. A name or path with a line feed would be taken for two frames.
func (t *text) line(address uint64, name, object string) {
	fmt.Fprintf(t.writer, "\t%16x %s (%s)\n", address, oneLine(name), oneLine(object))
}

func oneLine(name string) string {
	if !strings.ContainsAny(name, "\n\r") {
		return name
	}
	return strings.NewReplacer("\n", "?", "\r", "?").Replace(name)
}

func orUnknown(name string) string {
	if name == "" {
		return "[unknown]"
	}
	return name
}

// languages are the words for the profiler's kinds of interpreters, and whether it tells the line where a function begins.
var languages = map[libpf.InterpreterType]struct {
	name   string
	begins bool
}{
	libpf.Python:  {"python", true},
	libpf.V8:      {"javascript", true},
	libpf.HotSpot: {"java", true},
	libpf.PHP:     {"php", true},
	libpf.PHPJIT:  {"php", true},
	libpf.Ruby:    {"ruby", false},
	libpf.Perl:    {"perl", false},
	libpf.Dotnet:  {"dotnet", false},
	libpf.BEAM:    {"beam", false},
}

// place is where a function of an interpreted language stands: `[python] /app/worker.py:12`. The line is the one where the
// function begins, where the profiler tells it: the line that was running would make many functions of one.
func place(frame *libpf.Frame) string {
	language := languages[frame.Type.Interpreter()]
	file := frame.SourceFile.String()
	switch begin := int64(frame.SourceLine) - int64(frame.FunctionOffset); {
	case file == "":
		return "[" + language.name + "]"
	case language.begins && frame.SourceLine > 0 && begin > 0:
		return fmt.Sprintf("[%s] %s:%d", language.name, file, begin)
	default:
		return "[" + language.name + "] " + file
	}
}

// functionName is the name without what a language's readers do not expect in a graph: of Java's
// `void org.Foo.bar(int)` the type and the arguments go. `(garbage collection)` of Ruby loses its brackets, because perf prints names
// of processes in such ones, and readers of its text drop them.
func functionName(frame *libpf.Frame) string {
	name := frame.FunctionName.String()
	if inner, ok := strings.CutPrefix(name, "("); ok && strings.IndexByte(name, ')') == len(name)-1 {
		return orUnknown(strings.TrimSuffix(inner, ")"))
	}
	if frame.Type.Interpreter() != libpf.HotSpot {
		return orUnknown(name)
	}
	if open := strings.IndexByte(name, '('); open >= 0 {
		name = name[:open]
	}
	return orUnknown(name[strings.LastIndexByte(name, ' ')+1:])
}

func (t *text) flush() error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.writer.Flush()
}

// finish writes what is left. `expected` is the number of samples that there should be: those that did not come are told as
// perf script tells them, with --show-lost-events. A process loses its first sample, because its mappings are read then.
func (t *text) finish(expected uint64) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if expected > t.written {
		fmt.Fprintf(t.writer, "gkeprof-unwinder 0/0 [000] %d.%06d: PERF_RECORD_LOST lost %d\n", t.latest/1e9, t.latest%1e9/1e3,
			expected-t.written)
	}
	return t.writer.Flush()
}
