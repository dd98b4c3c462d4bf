package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestChoice(t *testing.T) {
	for _, each := range []struct {
		votes    map[string]uint64
		way, why string
	}{
		{map[string]uint64{}, "fp", "no-processes"},
		{map[string]uint64{"frame-pointers": 10}, "fp", "frame-pointers"},
		{map[string]uint64{"no-frame-pointers": 10}, "ebpf", "no-frame-pointers"},
		// A shell that waits for the program of its container.
		{map[string]uint64{"frame-pointers": 1000, "no-frame-pointers": 1}, "fp", "frame-pointers"},
		{map[string]uint64{"frame-pointers": 900, "interpreter": 100}, "ebpf", "interpreter"},
		{map[string]uint64{"no-frame-pointers": 30, "jit": 70}, "ebpf", "jit"},
		{map[string]uint64{"no-frame-pointers": 50, "jit": 50}, "ebpf", "jit"},
	} {
		var all uint64
		for _, weight := range each.votes {
			all += weight
		}
		if way, why := choice(each.votes, all); way != each.way || why != each.why {
			t.Errorf("%v: %s because of %s", each.votes, way, why)
		}
	}
}

// busy needs more registers than there are without the one of the frame pointer.
const busy = `
volatile long sink;
__attribute__((noinline)) long mix(long a, long b, long c, long d, long e, long f) {
	long g = a ^ b, h = c ^ d, i = e ^ f, j = a + f, k = b + e, l = c + d;
	for (long n = 0; n < 1000; n++) {
		a += b * g; b ^= c + h; c += d * i; d ^= e + j; e += f * k; f ^= a + l;
		g += h; h ^= i; i += j; j ^= k; k += l; l ^= n; sink += a;
	}
	return a + b + c + d + e + f + g + h + i + j + k + l;
}
__attribute__((noinline)) long busy(long n) { long r = mix(n, 1, 2, 3, 4, 5); return r + mix(r, n, 3, 4, 5, 6) + mix(n, r, 4, 5, 6, 7); }
`

// caller says that it runs, and waits for the end of its input.
const caller = `
#include <stdio.h>
long busy(long n);
int main(int count, char **words) { long r = busy(count); putchar('a' + (r & 1)); fflush(stdout); while (getchar() != EOF) r += busy(r); return r & 1; }
`

const (
	kept    = "-fno-omit-frame-pointer"
	omitted = "-fomit-frame-pointer"
)

// linked builds a program, and beside it the library that it calls, each with its flags; the words link the two.
func linked(t *testing.T, programFlag string, libraryFlags []string, words ...string) string {
	t.Helper()
	folder := t.TempDir()
	gcc := func(arguments ...string) {
		t.Helper()
		command := exec.Command("gcc", append([]string{"-O2"}, arguments...)...)
		command.Dir = folder
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
	}
	for name, text := range map[string]string{"busy.c": busy, "caller.c": caller} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gcc(append(libraryFlags, "busy.c")...)
	gcc(append([]string{programFlag, "caller.c", "-o", "program", "-Wl,-rpath," + folder}, words...)...)
	return filepath.Join(folder, "program")
}

func TestLook(t *testing.T) {
	mayOpenMapped(t)
	shared := func(flag string) []string { return []string{flag, "-shared", "-fPIC", "-o", "libbusy.so.1"} }
	part := func(flag string) []string { return []string{flag, "-c", "-o", "busy.o"} }
	for _, each := range []struct {
		name               string
		program            string
		way, why           string
		wayNoBPF, whyNoBPF string
	}{
		{"a program with frame pointers that calls a library without", linked(t, kept, shared(omitted), "libbusy.so.1"), "ebpf", "libraries", "dwarf", "no-bpf"},
		{"of which perf has no tables, too", linked(t, kept, shared(omitted), "libbusy.so.1", "-Wl,--no-eh-frame-hdr"), "ebpf", "libraries", "fp", "no-bpf"},
		{"that calls a library with", linked(t, kept, shared(kept), "libbusy.so.1"), "fp", "frame-pointers", "fp", "frame-pointers"},
		{"that calls only the C library", linked(t, kept, part(kept), "busy.o"), "fp", "frame-pointers", "fp", "frame-pointers"},
		{"that has code without in it", linked(t, kept, part(omitted), "busy.o"), "ebpf", "no-frame-pointers", "dwarf", "no-bpf"},
		{"a program without that calls a library with", linked(t, omitted, shared(kept), "libbusy.so.1"), "ebpf", "no-frame-pointers", "dwarf", "no-bpf"},
	} {
		t.Run(each.name, func(t *testing.T) {
			pids := []int{pidOf(t, started(t, each.program))}
			if way, why := look(pids, func() bool { return true }); way != each.way || why != each.why {
				t.Errorf("%s because of %s", way, why)
			}
			if way, why := look(pids, func() bool { return false }); way != each.wayNoBPF || why != each.whyNoBPF {
				t.Errorf("without BPF %s because of %s", way, why)
			}
		})
	}
}

// Most of the program has frame pointers, and a library that is linked into it has none, as the allocator of Redis.
func TestFramePointersOfLinkedLibrary(t *testing.T) {
	for copies, lacks := range map[int]bool{2: true, 16: false} {
		folder := t.TempDir()
		var files []string
		for at := range copies + 1 {
			flag := kept
			if at == copies {
				flag = omitted
			}
			source := filepath.Join(folder, fmt.Sprintf("part%d.c", at))
			text := fmt.Sprintf("#define sink sink%d\n#define mix mix%d\n#define busy busy%d\n%s", at, at, at, busy)
			if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("gcc", "-O2", "-fPIC", flag, "-c", source, "-o", source+".o").CombinedOutput(); err != nil {
				t.Fatalf("gcc: %v\n%s", err, out)
			}
			files = append(files, source+".o")
		}
		program := filepath.Join(folder, "program")
		if out, err := exec.Command("gcc", append(files, "-shared", "-o", program)...).CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
		code := codeOf(t, program)
		if code.lacksFrames() != lacks || code.with < code.without || code.reuse == 0 {
			t.Errorf("%d parts with frame pointers and one without: %+v", copies, code)
		}
	}
}

func TestCRuntime(t *testing.T) {
	for name, is := range map[string]bool{
		"libc.so.6": true, "libc-2.31.so": true, "libm.so.6": true, "ld-linux-x86-64.so.2": true, "ld-2.31.so": true,
		"ld-linux-aarch64.so.1": true, "libstdc++.so.6.0.33": true, "libgcc_s.so.1": true, "libpthread-2.31.so": true,
		"ld-musl-x86_64.so.1": true, "libc.musl-x86_64.so.1": true, "libnss_files.so.2": true, "libc++abi.so.1.0": true,
		"libjemalloc.so.2": false, "liblua5.1.so.0": false, "libcrypto.so.3": false, "libz.so.1.3.1": false, "libcap.so.2": false,
		"libmimalloc.so.2": false, "libc.so.6.txt": false, "redis-server": false,
	} {
		if cRuntime.MatchString(name) != is {
			t.Errorf("%s: %v", name, !is)
		}
	}
}

// Neither a file that is none nor the end of the time keeps a recording waiting.
func TestLookReads(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	l := looker{time.Now().Add(time.Minute), newFinder(), map[string]nativeCode{}}
	if _, known := l.read(fifo); known {
		t.Error("a FIFO")
	}
	self := "/proc/self/exe"
	if _, known := l.read(self); !known {
		t.Error("a program is not known")
	}
	full := looker{time.Now().Add(time.Minute), newFinder(), map[string]nativeCode{}}
	for at := range lookFiles {
		full.files[string(rune(at))] = nativeCode{}
	}
	if _, known := full.read(self); known {
		t.Error("more files than there may be")
	}
	l.deadline = time.Now()
	if _, known := l.read(self); known {
		t.Error("when the time is over")
	}
}
