package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const program = `
#include <stdlib.h>
volatile long x;
__attribute__((noinline)) long leaf(long n) { for (long i = 0; i < n; i++) x += i * n; return x; }
__attribute__((noinline)) long work(long n) { char b[64]; b[n & 63] = n; x += b[3]; return leaf(n) + leaf(n + 1); }
int main(int c, char **v) { return (int)(work(c) + work(c + 1)); }
`

// compiled builds the program with flags of gcc, and skips nothing: the judge of this table is the compiler.
func compiled(t *testing.T, flags ...string) string {
	t.Helper()
	folder := t.TempDir()
	source := filepath.Join(folder, "program.c")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(folder, "program")
	out, err := exec.Command("gcc", append(append([]string{"-O2", "-nostartfiles", "-Wl,-emain"}, flags...), "-o", binary, source)...).CombinedOutput()
	if err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return binary
}

func codeOf(t *testing.T, path string) nativeCode {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return readNativeCode(file)
}

func TestFramePointersOfGcc(t *testing.T) {
	for _, each := range []struct {
		name  string
		flags []string
		has   bool
	}{
		{"kept", []string{"-fno-omit-frame-pointer"}, true},
		{"kept, position dependent", []string{"-fno-omit-frame-pointer", "-no-pie"}, true},
		{"omitted", []string{"-fomit-frame-pointer"}, false},
		{"omitted, stripped", []string{"-fomit-frame-pointer", "-s"}, false},
		{"kept, stripped", []string{"-fno-omit-frame-pointer", "-s"}, true},
		{"omitted, without .eh_frame, which leaves nothing else", []string{"-fomit-frame-pointer", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-Wl,--no-ld-generated-unwind-info"}, true},
	} {
		t.Run(each.name, func(t *testing.T) {
			if code := codeOf(t, compiled(t, each.flags...)); code.lacksFrames() == each.has {
				t.Errorf("%+v", code)
			}
		})
	}
}

// A program in Rust: a library with frame pointers is most of it, and what was compiled for it has some or none.
func TestFramePointersOfRust(t *testing.T) {
	const library = `
volatile long y;
#define F(n) __attribute__((noinline, used, optimize("no-omit-frame-pointer"))) long library_##n(long a) { char b[64]; b[a & 63] = a; y += b[n]; \
	for (long i = 0; i < a; i++) { y += i * a; y ^= y >> 3; y += b[i & 63]; } return y; }
F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)
`
	const more = `
__attribute__((noinline, used)) long more(long n) { char b[99]; for (long i = 0; i < n; i++) { b[i % 99] = i; x += b[n % 99] * work(i); x ^= work(x) >> 2; x += work(x) * 3; x ^= b[x % 99]; } return x; }
`
	build := func(compiler string, flags ...string) string {
		source := filepath.Join(t.TempDir(), "program.c")
		text := program + more + library + "__asm__(\".ident \\\"" + compiler + "\\\"\");\n"
		if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		words := append([]string{"-O2", "-s", "-nostartfiles", "-Wl,-emain", "-o", source + ".out", source}, flags...)
		if out, err := exec.Command("gcc", words...).CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
		return source + ".out"
	}
	const rustc = "rustc version 1.85.1 (4eb161250 2025-03-15)"
	for _, each := range []struct {
		name, compiler, flag string
		has                  bool
	}{
		{"omitted", rustc, "-fomit-frame-pointer", false},
		{"kept", rustc, "-fno-omit-frame-pointer", true},
		{"omitted, in another language", "another compiler", "-fomit-frame-pointer", true},
	} {
		t.Run(each.name, func(t *testing.T) {
			if code := codeOf(t, build(each.compiler, each.flag)); code.lacksFrames() == each.has {
				t.Errorf("%+v", code)
			}
		})
	}
}

func TestFramePointersOfWhatIsNoProgram(t *testing.T) {
	good, err := os.ReadFile(compiled(t, "-fomit-frame-pointer"))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		bad := append([]byte(nil), good[:random.IntN(len(good))]...)
		for range random.IntN(20) {
			if len(bad) > 0 {
				bad[random.IntN(len(bad))] = byte(random.Uint32())
			}
		}
		readNativeCode(bytes.NewReader(bad)) // must return
	}
}

func TestCountFramePointersOfAnyBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		section := make([]byte, random.IntN(400))
		for at := range section {
			section[at] = byte(random.Uint32())
			if random.IntN(3) == 0 {
				section[at] = 0
			}
		}
		countFramePointers(section, 6, binary.LittleEndian, true) // must return
	}
}
