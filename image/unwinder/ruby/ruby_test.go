package ruby

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gkeprof-unwinder/elfcode"
)

// source is a library that is made as libruby is: an interpreter's loop with a table of labels, another one with a smaller
// table, and thread-local variables of which one has the execution context. LOOP is the number of instructions.
func source(loop int, readers string) string {
	labels := func(name string, n int) string {
		var table, code strings.Builder
		for i := range n {
			fmt.Fprintf(&table, "&&%s%d, ", name, i)
			fmt.Fprintf(&code, "%s%d: acc = acc * %d + %d; goto *labels[*pc++];\n", name, i, i+3, i)
		}
		return fmt.Sprintf("static const void *const labels[] = {%s}; goto *labels[*pc++];\n%sout: return acc;", &table, &code)
	}
	return fmt.Sprintf(`
struct thread { void *a, *self; };
struct ec { void *stack; long size; long cfp; long pad[3]; struct thread *thread; long errinfo; };
static __thread int other = 1;
static __thread int between = 2;
__thread struct ec *ruby_current_ec __attribute__((visibility("hidden")));
struct symbols { unsigned last_id; void *str; long ids; long set; };
__attribute__((visibility("hidden"))) struct symbols ruby_global_symbols = {241};
__attribute__((visibility("hidden"))) int initialized = 1;
const char ruby_version[] = VERSION;
const unsigned char rb_vm_insn_len_info[%[1]d] = {1};
static long work(void) { return ruby_current_ec->cfp; }
__attribute__((noinline)) static long vm_exec_core(const unsigned char *pc, long acc) { if (acc == 77) goto out; %[2]s }
__attribute__((noinline)) static long match_at(const unsigned char *pc, long acc) { if (acc == 77) goto out; %[3]s }
long rb_run(const unsigned char *pc) { return vm_exec_core(pc, *pc) + match_at(pc, work()); }
int rb_serial(void) { return ++other + ++between; }
void *rb_sym_all_symbols(void) { if (!initialized) return 0; return ruby_global_symbols.str; }
void rb_set(struct ec *ec) { ruby_current_ec = ec; }
%[4]s
`, loop, labels("L", loop), labels("M", 98), readers)
}

const goodReaders = `
void *rb_thread_current(void) { return ruby_current_ec->thread->self; }
long rb_errinfo(void) { return ruby_current_ec->errinfo; }
long rb_frame_callee(void) { return work() + 1; }
int rb_block_given_p(void) { return work() != 0; }
`

// library compiles a library, and returns it stripped, with the symbols that it had before.
func library(t *testing.T, text, version string, flags ...string) (stripped *elf.File, symbols map[string]elf.Symbol) {
	t.Helper()
	for _, tool := range []string{"gcc", "strip"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("GKEPROF_NEED_ALL") != "" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("%s is missing", tool)
		}
	}
	folder := t.TempDir()
	whole, short := filepath.Join(folder, "whole.so"), filepath.Join(folder, "libruby.so")
	if err := os.WriteFile(filepath.Join(folder, "ruby.c"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	arguments := append([]string{"-O2", "-fPIC", "-shared", "-fno-gcse", fmt.Sprintf("-DVERSION=%q", version), "-o", whole,
		filepath.Join(folder, "ruby.c")}, flags...)
	for _, words := range [][]string{append([]string{"gcc"}, arguments...), {"strip", "-o", short, whole}} {
		if output, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", words[0], err, output)
		}
	}
	full, err := elf.Open(whole)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	list, err := full.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	symbols = map[string]elf.Symbol{}
	for _, symbol := range list {
		symbols[symbol.Name] = symbol
	}
	stripped, err = elf.Open(short)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stripped.Close() })
	if _, err := stripped.Symbols(); err == nil {
		t.Fatal("the library is not stripped")
	}
	return stripped, symbols
}

func TestStrippedLibrary(t *testing.T) {
	for _, flags := range [][]string{
		nil,
		{"-fcf-protection=full"},
		{"-fno-plt"},
		{"-mtls-dialect=gnu2"},
		{"-ftls-model=local-dynamic"},
		{"-Wl,-z,pack-relative-relocs"},
		{"-O0"},
		{"-O3", "-fno-omit-frame-pointer"},
	} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			file, symbols := library(t, source(204, goodReaders), "3.3.14", flags...)
			loop, caller, err := Loop(file)
			if want := codeOf(symbols["vm_exec_core"]); err != nil || loop != want {
				t.Errorf("the loop is %x (%v), not %x", loop, err, want)
			}
			if want := codeOf(symbols["rb_run"]); caller != want {
				t.Errorf("its caller is %x, not %x", caller, want)
			}
			if symbols["ruby_current_ec"].Value == 0 {
				t.Fatal("the variable is the first one, so that finding none would be right too")
			}
			if offset, err := CurrentContext(file); err != nil || offset != symbols["ruby_current_ec"].Value {
				t.Errorf("the context is at %d (%v), not at %d", offset, err, symbols["ruby_current_ec"].Value)
			}
			if names, err := Names(file); err != nil || names != symbols["ruby_global_symbols"].Value {
				t.Errorf("the names are at %x (%v), not at %x", names, err, symbols["ruby_global_symbols"].Value)
			}
			if err := Named(file); err != nil {
				t.Error(err)
			}
		})
	}
}

func codeOf(symbol elf.Symbol) Code {
	return Code{symbol.Value, symbol.Value + symbol.Size}
}

// With two functions that call the loop, neither is known to be rb_vm_exec.
func TestTwoCallers(t *testing.T) {
	file, symbols := library(t, source(204, goodReaders+"long rb_again(const unsigned char *pc) { return vm_exec_core(pc, 7) + 1; }"), "3.3.14")
	loop, caller, err := Loop(file)
	if err != nil || loop != codeOf(symbols["vm_exec_core"]) || caller != (Code{}) {
		t.Errorf("%x, called by %x (%v)", loop, caller, err)
	}
}

// Ruby 3.0 and 3.1 export the variable.
func TestExportedContext(t *testing.T) {
	text := strings.Replace(source(204, ""), `ruby_current_ec __attribute__((visibility("hidden")))`, "ruby_current_ec", 1)
	file, symbols := library(t, text, "3.1.2")
	if offset, err := CurrentContext(file); err != nil || offset != symbols["ruby_current_ec"].Value {
		t.Errorf("the context is at %d (%v), not at %d", offset, err, symbols["ruby_current_ec"].Value)
	}
}

func TestNotFound(t *testing.T) {
	for name, each := range map[string]struct{ text, version, problem string }{
		"no readers": {source(204, ""), "3.3.14", "only 0 functions"},
		"readers that differ": {source(204, goodReaders+"long rb_fiber_current(void) { return ++other; }"), "3.3.14",
			"another thread-local variable"},
		"a small table":           {source(100, goodReaders), "3.3.14", "no table of the interpreter's labels"},
		"too new":                 {source(204, goodReaders), "4.1.0", "does not know Ruby 4.1"},
		"too old":                 {source(204, goodReaders), "2.4.10", "does not know Ruby 2.4"},
		"no version":              {source(204, goodReaders), "preview", "ruby_version is"},
		"before thread-locals":    {source(204, goodReaders), "2.7.8", "no symbol ruby_current_execution_context_ptr"},
		"another count of labels": {strings.Replace(source(204, goodReaders), "info[204]", "info[220]", 1), "3.3.14", "204 of 220"},
	} {
		t.Run(name, func(t *testing.T) {
			file, _ := library(t, each.text, each.version)
			if err := Named(file); err == nil || !strings.Contains(err.Error(), each.problem) {
				t.Errorf("%v, not: %s", err, each.problem)
			}
		})
	}
}

func TestNotStripped(t *testing.T) {
	file, _ := library(t, source(10, goodReaders+"void rb_vm_exec(void) {}"), "3.4.1")
	if err := Named(file); err != nil {
		t.Error(err)
	}
}

func TestFindRefusesWhatIsNoFile(t *testing.T) {
	for _, content := range []string{"", "\x7fELF", "\x7fELF\x02\x01\x01" + strings.Repeat("\xff", 200)} {
		if places, err := Find(strings.NewReader(content), true); err == nil {
			t.Errorf("%q: %v", content, places)
		}
	}
}

// armFile is a library of arm64 that has this code alone, by addresses.
func armFile(code map[uint64][]uint32) *elf.File {
	file := &elf.File{FileHeader: elf.FileHeader{Machine: elf.EM_AARCH64, ByteOrder: binary.LittleEndian}}
	for address, words := range code {
		var content bytes.Buffer
		for _, word := range words {
			_ = binary.Write(&content, binary.LittleEndian, word)
		}
		for content.Len() < elfcode.MaxCodeBytes {
			content.WriteByte(0)
		}
		file.Progs = append(file.Progs, &elf.Prog{
			ProgHeader: elf.ProgHeader{Type: elf.PT_LOAD, Vaddr: address, Filesz: uint64(content.Len())},
			ReaderAt:   bytes.NewReader(content.Bytes()),
		})
	}
	return file
}

// arm64 of libruby3.3 3.3.8-2 of Debian: rb_thread_current calls rb_current_ec, which reads the second variable.
func TestArm64(t *testing.T) {
	code := map[uint64][]uint32{
		0x22c484: {
			0xd503233f, // paciasp
			0xa9bf7bfd, // stp x29, x30, [sp, #-16]!
			0x910003fd, // mov x29, sp
			0x9400d3ad, // bl 0x261344
			0xf9401800, // ldr x0, [x0, #48]
		},
		0x261344: {
			0xd503233f, // paciasp
			0xd53bd041, // mrs x1, TPIDR_EL0
			0xa9bf7bfd, // stp x29, x30, [sp, #-16]!
			0x910003fd, // mov x29, sp
			0xd0000f60, // adrp x0, 0x44f000
			0xf9416c02, // ldr x2, [x0, #728]
			0x910b6000, // add x0, x0, #728
			0xd63f0040, // blr x2
			0xd65f03c0, // ret
		},
	}
	file := armFile(code)
	entries := map[uint64]uint64{0x44f2c8: 0, 0x44f2d8: 8}
	if offset, ok := firstVariableArm(file, entries, 0x22c484, true); !ok || offset != 8 {
		t.Errorf("the variable is at %d (%v)", offset, ok)
	}
	if _, ok := firstVariableArm(file, entries, 0x22c484, false); ok {
		t.Error("a call was followed")
	}
	if offset, ok := firstVariableArm(file, map[uint64]uint64{0x44f2c8: 0}, 0x22c484, true); ok {
		t.Errorf("a variable of another entry is at %d", offset)
	}
}

// The same library: rb_sym_all_symbols.
func TestNamesOfArm64(t *testing.T) {
	file := armFile(map[uint64][]uint32{
		0x222504: {
			0xd0001173, // adrp x19, 0x450000
			0x91052273, // add x19, x19, #328
			0xf9400660, // ldr x0, [x19, #8]
		},
		0x450148: {241, 0, 0, 0, 0, 0},
	})
	places := referredArm(file, 0x222504)
	if len(places) == 0 || places[0] != 0x450148 {
		t.Fatalf("%x", places)
	}
	if !beginsSymbols(file, 0x450148) || beginsSymbols(file, 0x450150) {
		t.Error("the variable is not told by its content")
	}
}

func TestPacked(t *testing.T) {
	// A place, a bitmap of the words behind it (the first and the third), a second bitmap (its first word).
	var packed bytes.Buffer
	_ = binary.Write(&packed, binary.LittleEndian, []uint64{0x1000, 0b1011, 0b11})
	if places := fmt.Sprintf("%x", unpack(packed.Bytes(), binary.LittleEndian)); places != "[1000 1008 1018 1200]" {
		t.Error(places)
	}
}

// The libraries of the distribution, where it has any.
func TestInstalled(t *testing.T) {
	installed, _ := filepath.Glob("/usr/lib/*/libruby-*.so.*.*.*")
	if len(installed) == 0 {
		t.Skip("no libruby is installed")
	}
	for _, name := range installed {
		file, err := elf.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := Named(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		file.Close()
	}
}
