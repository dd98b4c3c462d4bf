package main

import (
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
			with, without := framePointers(compiled(t, each.flags...))
			if (with >= without) != each.has {
				t.Errorf("%d bytes with frame pointers, %d without", with, without)
			}
		})
	}
}

func TestFramePointersOfWhatIsNoProgram(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
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
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		framePointers(file) // must return
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
