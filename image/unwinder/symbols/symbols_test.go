package symbols

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

const cSource = `
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) static int inner(int n) { volatile int s = n; for (int i = 0; i < n; i++) s += i; return s; }
__attribute__((noinline)) int exported(int n) { return inner(n) + 1; }
int also_exported(int n) __attribute__((weak, alias("exported")));
int __underscored(int n) __attribute__((alias("exported")));
__asm__(".text\n.globl by_hand\nby_hand:\n nop\nlabel_in_it:\n nop\n ret\n");
int by_hand(void);
int main(int argc, char **argv) { char *p = malloc(argc); printf("%p %d\n", p, exported(argc) + also_exported(argc) + __underscored(1)); free(p); return by_hand() == 5; }
`

const goSource = `package main

import ("fmt"; "os"; "strings")

type shape struct{ n int }

//go:noinline
func (s *shape) grow(by int) int { s.n += by; return s.n }

//go:noinline
func generic[T any](list []T) int { return len(list) }

func main() {
	s := &shape{len(os.Args)}
	fmt.Println(s.grow(3), generic([]string{"a"}), strings.Repeat("x", s.n), func() int { return s.grow(1) }())
}
`

// run runs a program that the machine must have, and returns what it printed.
func run(t *testing.T, dir string, env []string, name string, arguments ...string) string {
	t.Helper()
	command := exec.Command(name, arguments...)
	command.Dir, command.Env = dir, append(os.Environ(), env...)
	var problem bytes.Buffer
	command.Stderr = &problem
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, problem.String())
	}
	return string(output)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// need skips a test on a machine that lacks a compiler, unless all of them are demanded.
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

func open(t *testing.T, name string, debug Finder) *Table {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, _ := file.Stat()
	table, err := Open(file, info.Size(), debug)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// nmSymbol is a line of nm --print-size.
type nmSymbol struct {
	addr, size uint64
	name       string
}

func nm(t *testing.T, name string, options ...string) []nmSymbol {
	t.Helper()
	var list []nmSymbol
	for line := range strings.Lines(run(t, "", nil, "nm", append(options, "--print-size", name)...)) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(fields) < 4 || !strings.Contains("TtWi", fields[2]) {
			continue
		}
		addr, err := strconv.ParseUint(fields[0], 16, 64)
		if err != nil {
			continue
		}
		size, _ := strconv.ParseUint(fields[1], 16, 64)
		list = append(list, nmSymbol{addr, size, strings.SplitN(fields[3], "@", 2)[0]})
	}
	if len(list) == 0 {
		t.Fatalf("nm printed nothing for %s", name)
	}
	return list
}

// likeNM checks that every function of nm has its name at its first and at its last byte.
func likeNM(t *testing.T, table *Table, list []nmSymbol) {
	t.Helper()
	aliases := map[uint64]map[string]bool{}
	for _, s := range list {
		if aliases[s.addr] == nil {
			aliases[s.addr] = map[string]bool{}
		}
		aliases[s.addr][s.name] = true
	}
	for _, s := range list {
		if s.size == 0 {
			continue
		}
		for _, addr := range []uint64{s.addr, s.addr + s.size - 1} {
			name, start, ok := table.ByAddress(addr)
			if !ok || start != s.addr || !aliases[s.addr][name] {
				// A function within another one has the byte too.
				if ok && start > s.addr && aliases[start][name] {
					continue
				}
				t.Errorf("%x: %q from %x, %v; nm: %s from %x", addr, name, start, ok, s.name, s.addr)
			}
		}
	}
}

func TestSymbolTable(t *testing.T) {
	need(t, "gcc", "nm", "readelf")
	dir := t.TempDir()
	source := write(t, filepath.Join(dir, "c.c"), cSource)
	for _, flags := range []string{"-O1", "-O1 -no-pie", "-O1 -static", "-O1 -static-pie"} {
		t.Run(flags, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "c")
			run(t, dir, nil, "gcc", append(strings.Fields(flags), "-o", out, source)...)
			table := open(t, out, nil)
			list := nm(t, out)
			likeNM(t, table, list)
			for _, s := range list {
				want := map[string]string{"also_exported": "exported", "__underscored": "exported", "by_hand": "by_hand"}[s.name]
				if name, _, _ := table.ByAddress(s.addr + 1); want != "" && name != want {
					t.Errorf("%s is named %q, not %q", s.name, name, want)
				}
			}
			if id := buildIDByReadelf(t, out); table.BuildID() != id || id == "" {
				t.Errorf("build ID %q, readelf: %q", table.BuildID(), id)
			}
		})
	}
}

func buildIDByReadelf(t *testing.T, name string) string {
	t.Helper()
	_, id, _ := strings.Cut(run(t, "", nil, "readelf", "-n", name), "Build ID: ")
	id, _, _ = strings.Cut(id, "\n")
	return strings.TrimSpace(id)
}

func TestOffsets(t *testing.T) {
	need(t, "gcc", "nm", "readelf")
	dir := t.TempDir()
	out := filepath.Join(dir, "c")
	// With its own pages for the code, addresses and offsets differ.
	run(t, dir, nil, "gcc", "-O1", "-no-pie", "-Wl,-z,separate-code", "-o", out, write(t, filepath.Join(dir, "c.c"), cSource))
	table := open(t, out, nil)
	for _, s := range nm(t, out) {
		if s.name != "inner" {
			continue
		}
		// The offset as readelf has it: of the section .text, less its address.
		for line := range strings.Lines(run(t, "", nil, "readelf", "-SW", out)) {
			fields := strings.Fields(strings.ReplaceAll(line, "[ ", "["))
			if len(fields) < 5 || fields[1] != ".text" {
				continue
			}
			addr, _ := strconv.ParseUint(fields[3], 16, 64)
			offset, _ := strconv.ParseUint(fields[4], 16, 64)
			if name, start, ok := table.ByOffset(s.addr - addr + offset + 2); !ok || name != "inner" || start != s.addr {
				t.Errorf("%q from %x, %v", name, start, ok)
			}
			return
		}
	}
	t.Fatal("no function inner or no section .text")
}

func TestDynamicSymbolsOnly(t *testing.T) {
	need(t, "gcc", "nm", "strip", "objdump")
	dir := t.TempDir()
	out := filepath.Join(dir, "libc.so")
	run(t, dir, nil, "gcc", "-O1", "-shared", "-fPIC", "-o", out, write(t, filepath.Join(dir, "c.c"), cSource))
	all := nm(t, out)
	run(t, dir, nil, "strip", out)
	table := open(t, out, nil)
	likeNM(t, table, nm(t, out, "--dynamic"))
	for _, s := range all {
		if s.name == "inner" {
			if name, _, ok := table.ByAddress(s.addr); ok {
				t.Errorf("inner has the name %q of another function", name)
			}
		}
	}
}

func TestPLT(t *testing.T) {
	need(t, "gcc", "objdump")
	dir := t.TempDir()
	source := write(t, filepath.Join(dir, "c.c"), cSource)
	for _, flags := range []string{"-fcf-protection=full", "-fcf-protection=none -no-pie"} {
		out := filepath.Join(dir, "c")
		run(t, dir, nil, "gcc", append(strings.Fields(flags), "-Wl,-z,lazy", "-o", out, source)...)
		run(t, dir, nil, "strip", out)
		table := open(t, out, nil)
		found := 0
		for line := range strings.Lines(run(t, "", nil, "objdump", "-d", "-j", ".plt", "-j", ".plt.sec", out)) {
			var addr uint64
			var want string
			if n, _ := fmt.Sscanf(line, "%x <%s", &addr, &want); n != 2 || !strings.HasSuffix(want, "@plt>:") {
				continue
			}
			want = strings.TrimSuffix(want, ">:")
			if name, start, ok := table.ByAddress(addr + 4); !ok || start != addr || name != want {
				t.Errorf("%s: %x: %q from %x, %v; objdump: %s", flags, addr, name, start, ok, want)
			}
			found++
		}
		if found < 3 {
			t.Errorf("%s: objdump found %d stubs", flags, found)
		}
	}
}

func TestMangledNamesStayAsTheyAre(t *testing.T) {
	need(t, "g++", "nm")
	dir := t.TempDir()
	out := filepath.Join(dir, "cc")
	run(t, dir, nil, "g++", "-O1", "-o", out, write(t, filepath.Join(dir, "c.cc"), `
#include <map>
#include <string>
namespace shop { struct Cart { std::map<std::string, int> items; __attribute__((noinline)) int total(int n) { for (auto &i : items) n += i.second; return n; } }; }
int main(int argc, char **argv) { shop::Cart c; c.items[argv[0]] = argc; return c.total(argc); }
`))
	table := open(t, out, nil)
	likeNM(t, table, nm(t, out))
	for _, s := range nm(t, out) {
		if strings.Contains(s.name, "Cart5total") {
			if name, _, _ := table.ByAddress(s.addr); name != s.name {
				t.Errorf("%q, nm: %q", name, s.name)
			}
			return
		}
	}
	t.Error("no method total")
}

func TestRust(t *testing.T) {
	need(t, "rustc", "nm")
	dir := t.TempDir()
	out := filepath.Join(dir, "rs")
	run(t, dir, nil, "rustc", "-O", "-o", out, write(t, filepath.Join(dir, "main.rs"), `
#[inline(never)] fn work(n: usize) -> usize { (0..n).map(|i| i ^ 3).sum() }
fn main() { println!("{}", work(std::env::args().count())); }
`))
	likeNM(t, open(t, out, nil), nm(t, out))
}

// debugTree makes a stripped program with a separate debug file in the place of a distribution, below a root.
func debugTree(t *testing.T, root, place string, flags ...string) (program string, list []nmSymbol) {
	t.Helper()
	need(t, "gcc", "nm", "objcopy", "strip", "readelf")
	source := write(t, filepath.Join(root, "c.c"), cSource)
	program = filepath.Join(root, "usr/bin/c")
	write(t, program, "")
	run(t, root, nil, "gcc", append(flags, "-O1", "-g", "-o", program, source)...)
	list = nm(t, program)
	if strings.Contains(place, "BUILDID") {
		id := buildIDByReadelf(t, program)
		place = strings.Replace(place, "BUILDID", id[:2]+"/"+id[2:], 1)
	}
	debug := filepath.Join(root, place)
	write(t, debug, "")
	run(t, root, nil, "objcopy", "--only-keep-debug", program, debug)
	run(t, root, nil, "strip", program)
	run(t, filepath.Dir(debug), nil, "objcopy", "--add-gnu-debuglink="+filepath.Base(debug), program)
	return program, list
}

func named(table *Table, list []nmSymbol, name string) string {
	for _, s := range list {
		if s.name == name {
			found, _, _ := table.ByAddress(s.addr)
			return found
		}
	}
	return "(not in nm)"
}

func TestDebugFiles(t *testing.T) {
	for _, place := range []string{
		"usr/lib/debug/.build-id/BUILDID.debug", "usr/bin/c.debug", "usr/bin/.debug/c.debug", "usr/lib/debug/usr/bin/c.debug",
	} {
		t.Run(place, func(t *testing.T) {
			root := t.TempDir()
			program, list := debugTree(t, root, place)
			if name := named(open(t, program, nil), list, "inner"); name != "" {
				t.Fatalf("the program was not stripped: %q", name)
			}
			likeNM(t, open(t, program, InRoot(root, "/usr/bin/c")), list)
		})
	}
}

func TestDebugFileWithoutBuildID(t *testing.T) {
	root := t.TempDir()
	program, list := debugTree(t, root, "usr/bin/c.debug", "-Wl,--build-id=none")
	if name := named(open(t, program, InRoot(root, "/usr/bin/c")), list, "inner"); name != "inner" {
		t.Errorf("with the right checksum: %q", name)
	}
	debug := filepath.Join(root, "usr/bin/c.debug")
	data, _ := os.ReadFile(debug)
	write(t, debug, string(append(data, 0)))
	if name := named(open(t, program, InRoot(root, "/usr/bin/c")), list, "inner"); name != "" {
		t.Errorf("with a wrong checksum: %q", name)
	}
}

func TestDebugFileOfAnotherBuild(t *testing.T) {
	root := t.TempDir()
	program, list := debugTree(t, root, "usr/bin/c.debug", "-Wl,--build-id=0x1111111111111111111111111111111111111111")
	other := t.TempDir()
	debugTree(t, other, "usr/bin/c.debug", "-Wl,--build-id=0x2222222222222222222222222222222222222222")
	data, _ := os.ReadFile(filepath.Join(other, "usr/bin/c.debug"))
	write(t, filepath.Join(root, "usr/bin/c.debug"), string(data))
	if name := named(open(t, program, InRoot(root, "/usr/bin/c")), list, "inner"); name != "" {
		t.Errorf("it took the name %q from another build", name)
	}
}

func TestNothingOutsideTheRootIsOpened(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	program, list := debugTree(t, outside, "usr/bin/c.debug")
	data, _ := os.ReadFile(program)
	inside := write(t, filepath.Join(root, "usr/bin/c"), string(data))
	for _, link := range []string{filepath.Join(outside, "usr/bin/c.debug"), "../../.." + outside + "/usr/bin/c.debug"} {
		name := filepath.Join(root, "usr/bin/c.debug")
		os.Remove(name)
		if err := os.Symlink(link, name); err != nil {
			t.Fatal(err)
		}
		if name := named(open(t, inside, InRoot(root, "/usr/bin/c")), list, "inner"); name != "" {
			t.Errorf("through %s it took the name %q", link, name)
		}
	}
	// The same link is right if it leads to a file in the root.
	debug, _ := os.ReadFile(filepath.Join(outside, "usr/bin/c.debug"))
	write(t, filepath.Join(root, outside, "usr/bin/c.debug"), string(debug))
	if name := named(open(t, inside, InRoot(root, "/usr/bin/c")), list, "inner"); name != "inner" {
		t.Errorf("through a link within the root it took the name %q", name)
	}
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	need(t, "mkfifo")
	root := t.TempDir()
	run(t, root, nil, "mkfifo", "fifo")
	os.Symlink("/proc/self/fd/0", filepath.Join(root, "magic"))
	large, _ := os.Create(filepath.Join(root, "large"))
	large.Truncate(maxFile + 1)
	large.Close()
	for _, name := range []string{"/fifo", "/", "/magic", "/large", "/missing"} {
		if file, _, err := OpenInRoot(root, name); err == nil {
			file.Close()
			t.Errorf("%s was opened", name)
		}
	}
	if file, _, err := OpenInRoot("/dev", "/zero"); err == nil {
		file.Close()
		t.Error("/dev/zero was opened")
	}
}

func TestMiniDebugInfo(t *testing.T) {
	need(t, "gcc", "nm", "objcopy", "strip", "xz")
	dir := t.TempDir()
	out := filepath.Join(dir, "c")
	run(t, dir, nil, "gcc", "-O1", "-g", "-rdynamic", "-o", out, write(t, filepath.Join(dir, "c.c"), cSource))
	list := nm(t, out)
	// As the documentation of GDB has it, chapter "MiniDebugInfo".
	run(t, dir, nil, "sh", "-ec", `
		nm -D c --format=posix --defined-only | awk '{ print $1 }' | sort >dynsyms
		nm c --format=posix --defined-only | awk '{ if ($2 == "T" || $2 == "t" || $2 == "D") print $1 }' | sort >funcsyms
		comm -13 dynsyms funcsyms >keep_symbols
		objcopy --only-keep-debug c debug
		objcopy -S --remove-section .gdb_index --remove-section .comment --keep-symbols=keep_symbols debug mini_debuginfo
		strip --strip-all -R .comment c
		xz -k mini_debuginfo
		objcopy --add-section .gnu_debugdata=mini_debuginfo.xz c`)
	table := open(t, out, nil)
	if name := named(table, list, "inner"); name != "inner" {
		t.Errorf("inner: %q", name)
	}
	if name := named(table, list, "exported"); name != "exported" {
		t.Errorf("exported: %q", name)
	}
	if sources := strings.Join(table.Sources(), " "); sources != ".gnu_debugdata .dynsym" {
		t.Errorf("sources: %s", sources)
	}
}

// A decoder that is asked for 4 GiB takes no memory, and gives no names.
func TestMiniDebugInfoOfALargeDictionary(t *testing.T) {
	need(t, "gcc", "objcopy", "strip", "xz")
	dir := t.TempDir()
	run(t, dir, nil, "gcc", "-O1", "-o", "c", write(t, filepath.Join(dir, "c.c"), cSource))
	run(t, dir, nil, "sh", "-ec", "objcopy --only-keep-debug c debug; strip c; xz -k debug")
	xz, _ := os.ReadFile(filepath.Join(dir, "debug.xz"))
	// The header of the first block: its length, flags, the number of the filter, one byte of properties, that byte.
	header := xz[12 : 12+(int(xz[12])+1)*4]
	if header[1] != 0 || header[2] != 0x21 || header[3] != 1 {
		t.Fatalf("another header than expected: %x", header)
	}
	for _, large := range []bool{false, true} {
		if large {
			header[4] = 40
			binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
		}
		write(t, filepath.Join(dir, "section"), string(xz))
		run(t, dir, nil, "objcopy", "--add-section", ".gnu_debugdata=section", "c", "with")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		sources := strings.Join(open(t, filepath.Join(dir, "with"), nil).Sources(), " ")
		runtime.ReadMemStats(&after)
		if strings.Contains(sources, ".gnu_debugdata") == large {
			t.Errorf("large: %v, sources: %s", large, sources)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 128<<20 {
			t.Errorf("it took %d bytes", taken)
		}
	}
}

// goList has the functions that Go's own nm finds in a program before it is stripped.
func goList(t *testing.T, program string) []nmSymbol {
	t.Helper()
	var list []nmSymbol
	for line := range strings.Lines(run(t, "", nil, "go", "tool", "nm", "-size", program)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[2] != "T" && fields[2] != "t" {
			continue
		}
		addr, err1 := strconv.ParseUint(fields[0], 16, 64)
		size, err2 := strconv.ParseUint(fields[1], 10, 64)
		isC := strings.HasSuffix(fields[3], ".cold") || strings.Contains(fields[3], ".part.") || !strings.ContainsRune(fields[3], '.')
		if err1 == nil && err2 == nil && !isC && fields[3] != "runtime.text" && fields[3] != "runtime.etext" {
			list = append(list, nmSymbol{addr, size, strings.Join(fields[3:], " ")})
		}
	}
	return list
}

// plainGo makes names comparable. In its symbol table Go has the ABI of a function, another dot for names of its assembler,
// and the types of a generic one, which some versions leave out for tracebacks.
func plainGo(name string) string {
	name = strings.TrimSuffix(strings.ReplaceAll(name, "·", "."), ".abi0")
	from, to := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if from < 0 || to < from {
		return name
	}
	return name[:from] + "[...]" + name[to+1:]
}

func TestGo(t *testing.T) {
	need(t, "go", "objcopy")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module small\n\ngo 1.21\n")
	write(t, filepath.Join(dir, "main.go"), goSource)
	cgo := strings.Replace(goSource, "import (", "// int three(void) { return 3; }\nimport \"C\"\nimport (", 1)
	cgo = strings.Replace(cgo, "s.grow(3)", "s.grow(int(C.three()))", 1)
	write(t, filepath.Join(dir, "cgo/main.go"), cgo)
	cases := []struct {
		name, env, pkg string
		flags          []string
	}{
		{"static", "CGO_ENABLED=0", ".", nil},
		{"pie", "CGO_ENABLED=0", ".", []string{"-buildmode=pie"}},
		{"arm64", "GOARCH=arm64", ".", nil},
		{"386", "GOARCH=386", ".", nil},
		{"cgo", "CGO_ENABLED=1", "./cgo", nil},
		{"cgo pie", "CGO_ENABLED=1", "./cgo", []string{"-buildmode=pie"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.name, "cgo") {
				need(t, "gcc")
			}
			whole, small := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "small")
			run(t, dir, []string{c.env}, "go", append(append([]string{"build", "-o", whole}, c.flags...), c.pkg)...)
			run(t, dir, []string{c.env}, "go", append(append([]string{"build", "-ldflags=-s -w", "-o", small}, c.flags...), c.pkg)...)
			list := goList(t, whole)
			likeNM(t, open(t, whole, nil), nmOnly(list, "main."))
			// strip does not move the code. Here it knows no ARM, and there the linker does not move it either.
			stripped := filepath.Join(t.TempDir(), "stripped")
			if c.name == "arm64" {
				stripped = small
			} else {
				run(t, dir, nil, "strip", "-o", stripped, whole)
			}
			noHeaders := filepath.Join(t.TempDir(), "headers")
			data, _ := os.ReadFile(stripped)
			copy(data[0x28:0x30], make([]byte, 8)) // e_shoff of 64 bits
			copy(data[0x3c:0x40], make([]byte, 4))
			if c.name == "386" {
				data, _ = os.ReadFile(stripped)
				copy(data[0x20:0x24], make([]byte, 4))
				copy(data[0x30:0x34], make([]byte, 4))
			}
			write(t, noHeaders, string(data))
			for _, name := range []string{stripped, noHeaders} {
				table := open(t, name, nil)
				checked := 0
				for _, s := range list {
					for _, addr := range []uint64{s.addr, s.addr + s.size - 1} {
						found, start, ok := table.ByAddress(addr)
						if s.size > 0 && (!ok || start != s.addr || plainGo(found) != plainGo(s.name)) {
							t.Errorf("%s: %x: %q from %x, %v; go tool nm: %s from %x", filepath.Base(name), addr, found, start, ok, s.name, s.addr)
						}
						checked++
					}
				}
				if checked < 2000 {
					t.Errorf("only %d functions", checked)
				}
			}
			table := open(t, small, nil)
			if !strings.Contains(strings.Join(table.Sources(), " "), ".gopclntab") {
				t.Errorf("sources of the program with -s -w: %v", table.Sources())
			}
		})
	}
}

func nmOnly(list []nmSymbol, prefix string) []nmSymbol {
	var some []nmSymbol
	for _, s := range list {
		if strings.HasPrefix(s.name, prefix) {
			some = append(some, s)
		}
	}
	return some
}

// A name with a line feed must not become a line of its own.
func TestNamesArePrintable(t *testing.T) {
	need(t, "gcc")
	dir := t.TempDir()
	out := filepath.Join(dir, "c")
	run(t, dir, nil, "gcc", "-o", out, write(t, filepath.Join(dir, "c.c"), `int evil_name(void) { return 3; } int main(void) { return evil_name(); }`))
	data, _ := os.ReadFile(out)
	write(t, out, strings.ReplaceAll(string(data), "evil_name", "evil\nname"))
	table := open(t, out, nil)
	found := false
	for _, f := range table.functions {
		name, _, _ := table.ByAddress(f.start)
		if strings.ContainsAny(name, "\n\r\x00") {
			t.Errorf("%q", name)
		}
		found = found || name == "evil?name"
	}
	if !found {
		t.Error("the name is missing")
	}
}

func TestTruncatedFiles(t *testing.T) {
	need(t, "gcc", "go")
	for name, data := range samples(t) {
		for cut := 0; cut < len(data); cut += max(1, len(data)/100) {
			r := bytes.NewReader(data[:cut])
			table, err := Open(r, int64(cut), nil)
			if err != nil && strings.Contains(err.Error(), "damaged ELF file: ") {
				t.Fatalf("%s cut at %d: %v", name, cut, err)
			}
			use(table, err)
			// The size may also be a lie, if the file is cut while it is read.
			if table, err = Open(r, int64(len(data)), nil); err != nil && strings.Contains(err.Error(), "damaged ELF file: ") {
				t.Fatalf("%s cut at %d: %v", name, cut, err)
			}
			use(table, err)
		}
	}
}

func use(table *Table, err error) {
	if err != nil {
		return
	}
	for _, addr := range []uint64{0, 0x1000, 0x1139, 0x401000, 0x480000, 1 << 63, ^uint64(0)} {
		table.ByAddress(addr)
		table.ByOffset(addr)
	}
	for _, f := range table.functions {
		table.ByAddress(f.start)
	}
}

// samples are small programs of all kinds, to be damaged. Those of Go take longer to make.
func samples(t testing.TB) map[string][]byte {
	files := compiled(t, `CGO_ENABLED=0 go build -ldflags='-s -w' -o go1 .
		CGO_ENABLED=0 go build -buildmode=pie -ldflags='-s -w' -o go2 .`, "go1", "go2")
	maps.Copy(files, samplesInC(t))
	return files
}

func samplesInC(t testing.TB) map[string][]byte {
	return compiled(t, `gcc -O1 -o c c.c
		gcc -O1 -shared -fPIC -s -o lib.so c.c
		cp c mini
		objcopy --only-keep-debug c debug
		xz -k debug
		strip mini
		objcopy --add-section .gnu_debugdata=debug.xz --add-gnu-debuglink=debug mini`, "c", "lib.so", "mini")
}

// compiled runs a script in a folder with the sources, and returns the programs that it made.
func compiled(t testing.TB, script string, programs ...string) map[string][]byte {
	dir := t.TempDir()
	shell := func(script string) {
		command := exec.Command("sh", "-ec", script)
		command.Dir = dir
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	os.WriteFile(filepath.Join(dir, "c.c"), []byte(cSource), 0o644)
	os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module small\n\ngo 1.21\n"), 0o644)
	// A small Go program, because the fuzzer copies it for each try.
	os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { println(1) }\n"), 0o644)
	shell(script)
	files := map[string][]byte{}
	for _, name := range programs {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	return files
}
