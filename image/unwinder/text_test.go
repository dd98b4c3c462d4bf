package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/ebpf-profiler/libpf"
	"go.opentelemetry.io/ebpf-profiler/reporter/samples"
)

func frames(list ...libpf.Frame) libpf.Frames {
	var all libpf.Frames
	for at := range list {
		all.Append(&list[at])
	}
	return all
}

func TestText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples.txt")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	text := newText(file, 100)
	python := libpf.Frame{Type: libpf.PythonFrame, FunctionName: libpf.Intern("burn"), SourceFile: libpf.Intern("/app/a.py"), SourceLine: 12, FunctionOffset: 10}
	java := libpf.Frame{Type: libpf.HotSpotFrame, FunctionName: libpf.Intern("void org.Foo$Bar.run(int, java.lang.String)"), SourceFile: libpf.Intern("Foo.java"), SourceLine: 3}
	perl := libpf.Frame{Type: libpf.PerlFrame, FunctionName: libpf.Intern("main::f"), SourceFile: libpf.Intern("x.pl"), SourceLine: 9}
	collector := libpf.Frame{Type: libpf.RubyFrame, FunctionName: libpf.Intern("(garbage collection)"), SourceFile: libpf.Intern("<gc>")}
	block := libpf.Frame{Type: libpf.RubyFrame, FunctionName: libpf.Intern("block (2 levels) in <main>"), SourceFile: libpf.Intern("x.rb"), SourceLine: 4}
	kernel := libpf.Frame{Type: libpf.KernelFrame, FunctionName: libpf.Intern("do_syscall_64"), AddressOrLineno: 0x1f}
	failed := libpf.Frame{Type: libpf.NativeFrame.Error(), AddressOrLineno: 4012}
	hostile := libpf.Frame{Type: libpf.PythonFrame, FunctionName: libpf.Intern("a\n\nb"), SourceFile: libpf.Intern("c\rd")}
	unknown := libpf.Frame{Type: libpf.NativeFrame, AddressOrLineno: 0xabc}
	meta := &samples.TraceEventMeta{Comm: libpf.NewCommFromString("my app"), PID: 7, TID: 8, CPU: 1, Timestamp: 1_500_000_000}
	if err := text.ReportTraceEvent(&libpf.Trace{Frames: frames(kernel, python, java, perl, collector, block, hostile, unknown, failed)}, meta); err != nil {
		t.Fatal(err)
	}
	if err := text.finish(3); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wanted := strings.Join([]string{
		"my app 7/8 [001] 1.500000: 10000000 cpu-clock:",
		"\t              1f do_syscall_64 ([kernel.kallsyms])",
		"\t               0 burn ([python] /app/a.py:2)",
		"\t               0 org.Foo$Bar.run ([java] Foo.java:3)",
		"\t               0 main::f ([perl] x.pl)",
		"\t               0 garbage collection ([ruby] <gc>)",
		"\t               0 block (2 levels) in <main> ([ruby] x.rb)",
		"\t               0 a??b ([python] c?d)",
		"\t             abc [unknown] ([unknown])",
		"\t               0 [unknown] ([unwinding ended: code that is in no file])",
		"",
		"gkeprof-unwinder 0/0 [000] 1.500000: PERF_RECORD_LOST lost 2",
		"",
	}, "\n")
	if string(written) != wanted {
		t.Errorf("%s\nnot\n%s", written, wanted)
	}
}

func TestProcessorsAndFailures(t *testing.T) {
	if found, err := onlineProcessors(); err != nil || len(found) == 0 {
		t.Errorf("%v, %v", found, err)
	}
	for code, words := range map[uint64]string{
		4012:   "code that is in no file",
		2003:   "Python that is not understood (2003)",
		99_000: "another reason (99000)",
	} {
		if failure(code) != words {
			t.Errorf("%d: %s", code, failure(code))
		}
	}
}
