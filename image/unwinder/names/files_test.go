package names

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func run(t *testing.T, dir, name string, arguments ...string) string {
	t.Helper()
	command := exec.Command(name, arguments...)
	command.Dir = dir
	var problem bytes.Buffer
	command.Stderr = &problem
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, problem.String())
	}
	return string(output)
}

func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("GKEPROF_NEED_ALL") != "" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("%s is missing", tool)
		}
	}
}

// program is a stripped program with mini-debuginfo, which perf does not read, so that its local function can be named.
type program struct {
	path, buildID string
	offset        uint64 // of the second byte of its function
}

// compile makes a program that waits, in which the function has this name.
func compile(t *testing.T, path, function string, flags ...string) program {
	t.Helper()
	need(t, "gcc", "nm", "objcopy", "strip", "xz", "readelf")
	dir := t.TempDir()
	source := filepath.Join(dir, "c.c")
	os.WriteFile(source, []byte(`#include <unistd.h>
__attribute__((noinline)) static int `+function+`(int n) { volatile int s = n; return s * '`+function[:1]+`' + pause(); }
int main(int argc, char **argv) { return `+function+`(argc); }
`), 0o644)
	run(t, dir, "gcc", append(flags, "-O1", "-no-pie", "-o", "c", "c.c")...)
	run(t, dir, "sh", "-ec", "objcopy --only-keep-debug c debug; xz debug; cp c s; strip s; objcopy --add-section .gnu_debugdata=debug.xz s")
	p := program{}
	for line := range strings.Lines(run(t, dir, "nm", "c")) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[2] == function {
			address, _ := strconv.ParseUint(fields[0], 16, 64)
			p.offset = address - 0x400000 + 1
		}
	}
	if _, id, found := strings.Cut(run(t, dir, "readelf", "-n", "c"), "Build ID: "); found {
		p.buildID = strings.TrimSpace(strings.SplitN(id, "\n", 2)[0])
	}
	p.path = path
	data, _ := os.ReadFile(filepath.Join(dir, "s"))
	os.Remove(path)
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func start(t *testing.T, path string) (pid int, end func()) {
	t.Helper()
	command := exec.Command(path)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			command.Process.Kill()
			command.Wait()
		}
	}
	t.Cleanup(end)
	// It is the program itself as soon as it sleeps in pause.
	for range 200 {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", command.Process.Pid))
		if strings.HasPrefix(string(text), strconv.Itoa(syscall.SYS_PAUSE)+" ") {
			return command.Process.Pid, end
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s does not start", path)
	return 0, nil
}

func mapping(pid int, p program) Mapping { return Mapping{PID: pid, Path: p.path, BuildID: p.buildID} }

func expect(t *testing.T, f *Files, pid int, p program, want string) {
	t.Helper()
	name, within, ok := f.Name(pid, p.path, p.offset)
	if name != want || ok != (want != "") || ok && within != 1 {
		t.Errorf("%q+0x%x, %v, instead of %q", name, within, ok, want)
	}
}

func newFiles(cache string) *Files { return NewFiles("/proc", cache, 30*time.Second) }

func TestProgramThatLives(t *testing.T) {
	p := compile(t, filepath.Join(t.TempDir(), "app"), "first")
	pid, _ := start(t, p.path)
	f := newFiles("")
	f.Mapped(mapping(pid, p))
	expect(t, f, pid, p, "first")
	if ids := f.BuildIDs(pid, p.path); len(ids) != 1 || ids[0] != p.buildID {
		t.Errorf("%v", ids)
	}
	expect(t, newFiles(""), pid, p, "") // of which perf recorded nothing
}

func TestProgramThatWasReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app")
	old := compile(t, path, "first")
	pid, end := start(t, path)
	recent := compile(t, path, "other")
	if old.buildID == recent.buildID || old.offset != recent.offset {
		t.Fatal("the programs are not what the test needs")
	}
	f := newFiles("")
	f.Mapped(mapping(pid, old))
	expect(t, f, pid, old, "first")
	// perf prints it so if it was deleted before the recording.
	if name, _, _ := f.Name(pid, path+" (deleted)", old.offset); name != "first" {
		t.Errorf("%q", name)
	}
	end()
	f = newFiles("")
	f.Mapped(mapping(pid, old))
	expect(t, f, pid, old, "")
	// Another process has the new one, and perf recorded both.
	another, _ := start(t, path)
	f.Mapped(mapping(another, recent))
	expect(t, f, another, recent, "other")
	f = newFiles("")
	f.Mapped(mapping(pid, old))
	f.Mapped(mapping(another, recent))
	expect(t, f, pid, old, "")
	expect(t, f, 999999999, recent, "") // a process whose mappings are not known
}

func TestProgramThatEnded(t *testing.T) {
	p := compile(t, filepath.Join(t.TempDir(), "app"), "first")
	pid, end := start(t, p.path)
	end()
	f := newFiles("")
	f.Mapped(mapping(pid, p))
	expect(t, f, pid, p, "") // its root is gone with it
	// Of the same build another process lives, even below another path.
	living, endLiving := start(t, p.path)
	f = newFiles("")
	f.Mapped(mapping(pid, p))
	f.Mapped(mapping(living, p))
	expect(t, f, pid, p, "first")
	expect(t, f, 999999999, p, "first") // it was forked: everybody has the same there
	endLiving()
	// perf's cache has it.
	cache := t.TempDir()
	folder := filepath.Join(cache, ".build-id", p.buildID[:2], p.buildID[2:])
	os.MkdirAll(folder, 0o755)
	data, _ := os.ReadFile(p.path)
	os.WriteFile(filepath.Join(folder, "elf"), data, 0o644)
	os.Remove(p.path)
	f = newFiles(cache)
	f.Mapped(mapping(pid, p))
	expect(t, f, pid, p, "first")
	// A file of another build in its place is not taken.
	os.WriteFile(filepath.Join(folder, "elf"), append([]byte{}, bytes.ReplaceAll(data, unhex(p.buildID), make([]byte, 20))...), 0o644)
	f = newFiles(cache)
	f.Mapped(mapping(pid, p))
	expect(t, f, pid, p, "")
}

func unhex(text string) []byte {
	var data []byte
	fmt.Sscanf(text, "%x", &data)
	return data
}

func TestProgramWithoutBuildID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app")
	p := compile(t, path, "first", "-Wl,--build-id=none")
	if p.buildID != "" {
		t.Fatal("it has a build ID")
	}
	pid, end := start(t, path)
	m := mapping(pid, p)
	for line := range strings.Lines(run(t, "", "cat", fmt.Sprintf("/proc/%d/maps", pid))) {
		if fields := strings.Fields(line); len(fields) == 6 && fields[5] == path {
			m.Device, _ = parseDevice(fields[3])
			m.Inode, _ = strconv.ParseUint(fields[4], 10, 64)
			m.HasIdentity = true
		}
	}
	if m.Inode == 0 {
		t.Fatal("no mapping")
	}
	f := newFiles("")
	f.Mapped(m)
	expect(t, f, pid, p, "first")
	f = newFiles("")
	f.Mapped(Mapping{PID: pid, Path: path}) // nobody knows which file it was
	expect(t, f, pid, p, "")
	f = newFiles("")
	other := m
	other.Inode++ // the file was another one when it was recorded
	f.Mapped(other)
	expect(t, f, pid, p, "")
	compile(t, path, "other", "-Wl,--build-id=none")
	f = newFiles("")
	f.Mapped(m)
	expect(t, f, pid, p, "first")
	end()
	f = newFiles("")
	f.Mapped(m)
	expect(t, f, pid, p, "")
}

func TestFilesThatHoldUp(t *testing.T) {
	need(t, "mkfifo")
	dir := t.TempDir()
	p := compile(t, filepath.Join(dir, "app"), "first")
	pid, _ := start(t, p.path)
	fifo := p
	fifo.path = filepath.Join(dir, "fifo")
	run(t, dir, "mkfifo", "fifo")
	zero := p
	zero.path = filepath.Join(dir, "zero")
	os.Symlink("/dev/zero", zero.path)
	f := newFiles("")
	began := time.Now()
	for _, each := range []program{fifo, zero} {
		f.Mapped(mapping(pid, each))
		expect(t, f, pid, each, "")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	f = NewFiles("/proc", "", 0)
	f.Mapped(mapping(pid, p))
	expect(t, f, pid, p, "") // no time left
}

// withOffsets adds what perf's field dsoff adds. perf before 6.4 does not have it, and prints the offset in the file in the
// place of the address.
func withOffsets(text string) string {
	frame := regexp.MustCompile(`(?m)^\t *([0-9a-f]+) (.* \(/.*)\)$`)
	return frame.ReplaceAllString(text, "\t $1 $2+0x$1)")
}

// A Go program without any symbol table is recorded by perf. go tool nm of the same program, before it was stripped, says
// what the names are.
func TestWithPerf(t *testing.T) {
	need(t, "perf", "go", "strip")
	for _, mode := range []string{"exe", "pie"} {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module busy\n\ngo 1.21\n"), 0o644)
		os.WriteFile(filepath.Join(dir, "main.go"), []byte(`package main

import "time"

//go:noinline
func busyWork(n int) (s int) { for i := 0; i < n; i++ { s += i * i % 7 }; return s }

func main() { for end := time.Now().Add(20 * time.Second); time.Now().Before(end); { busyWork(100000) } }
`), 0o644)
		run(t, dir, "env", "CGO_ENABLED=0", "go", "build", "-buildmode="+mode, "-o", "whole", ".")
		run(t, dir, "strip", "-o", "app", "whole")
		command := exec.Command(filepath.Join(dir, "app"))
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		recording := exec.Command("perf", "record", "--no-bpf-event", "--buildid-mmap", "-F", "199", "-g", "-e", "cpu-clock", "--sample-cpu", "-o", "p.data",
			"-p", strconv.Itoa(command.Process.Pid), "--", "sleep", "1")
		recording.Dir = dir
		if output, err := recording.CombinedOutput(); err != nil {
			command.Process.Kill()
			command.Wait()
			if os.Getenv("GKEPROF_NEED_ALL") != "" {
				t.Fatalf("perf record: %v\n%s", err, output)
			}
			t.Skipf("perf record: %v\n%s", err, output)
		}
		script := func(fields string) ([]byte, error) {
			command := exec.Command("perf", "script", "-i", "p.data", "--header", "--no-inline", "--show-lost-events", "--show-mmap-events",
				"-F", "comm,pid,tid,cpu,time,period,event,ip,sym,symoff,"+fields)
			command.Dir = dir
			return command.Output()
		}
		printed, err := script("dso,dsoff")
		text := string(printed)
		if err != nil {
			if printed, err = script("dso"); err != nil {
				t.Fatal(err)
			}
			text = withOffsets(string(printed))
		}
		var out bytes.Buffer
		err = NewFilter(newFiles("")).Copy(&out, strings.NewReader(text))
		command.Process.Kill()
		command.Wait()
		if err != nil {
			t.Fatal(err)
		}
		unknown, named := 0, 0
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, "(/"+dir[1:]+"/app") {
				if strings.Contains(line, "[unknown]") {
					unknown++
				} else if strings.Contains(line, " main.busyWork+0x") || strings.Contains(line, " main.main+0x") || strings.Contains(line, " runtime.") {
					named++
				} else {
					t.Logf("another name: %s", line)
				}
				if strings.HasSuffix(strings.TrimSpace(line), "app)") == strings.Contains(line, "[unknown]") {
					t.Errorf("%s", line)
				}
			}
		}
		if unknown > 0 || named < 10 {
			t.Errorf("%s: %d named, %d unknown; before: %d", mode, named, unknown, strings.Count(text, "[unknown]"))
		}
		if !strings.HasPrefix(out.String(), "# build-id: ") {
			t.Error("the text does not begin with the build IDs")
		}
		if strings.Contains(out.String(), "PERF_RECORD_MMAP") {
			t.Error("mappings are left in the text")
		}
	}
}

// The filter takes the text as fast as perf script writes it.
func BenchmarkCopy(b *testing.B) {
	var text bytes.Buffer
	for sample := range 4000 {
		fmt.Fprintf(&text, "app       7/8       [000] %d.635544:   10101010 cpu-clock: \n", sample)
		for frame := range 30 {
			fmt.Fprintf(&text, "\t    7f00%08x [unknown] (/app+0x%x)\n\t    7f00%08x function_of_a_library_%d+0x1f (/usr/lib/x86_64-linux-gnu/libc.so.6+0x%x)\n",
				frame*4096, frame*97, frame*512, frame, frame*16)
		}
		text.WriteString("\n")
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		out := bufio.NewWriter(discard{})
		if err := NewFilter(&known{}).Copy(out, bytes.NewReader(text.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
