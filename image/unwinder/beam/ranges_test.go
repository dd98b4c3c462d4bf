package beam

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// source is what matters of the runtime: beam_ranges.c, and the variables that the profiler reads by their names.
const source = `
struct ranges { void **modules; long n, allocated, mid; };
static struct ranges r[3];
static long mem_used;
static void **write_ptr;
unsigned the_active_code_index, the_staging_code_index;
void *beam_normal_exit, *erts_atom_table[16];
const char etp_otp_release[] = RELEASE, etp_erts_version[] = "15.2.7";
const unsigned long etp_ptr_mask = 7, etp_header_subtag_mask = 60, etp_heap_bits_subtag = 32;
__attribute__((noipa)) void *allocate(int kind, long bytes) { return (void *)(kind + bytes); }
__attribute__((noipa)) void release(int kind, void *memory) {}
int main(void) { return 0; }
void erts_start_staging_ranges(int extra) {
	long dst = the_staging_code_index;
	if (r[dst].modules) {
		__atomic_add_fetch(&mem_used, -r[dst].allocated, __ATOMIC_SEQ_CST);
		release(12852, r[dst].modules);
	}
	long n = r[dst].allocated = r[the_active_code_index].n + extra;
	__atomic_add_fetch(&mem_used, n, __ATOMIC_SEQ_CST);
	write_ptr = r[dst].modules = allocate(12852, n * 16);
}
void erts_update_ranges(void *code, long size) {
	if (the_active_code_index == the_staging_code_index && !r[the_active_code_index].modules)
		write_ptr = r[the_active_code_index].modules = allocate(12852, 2048);
	write_ptr[0] = code;
	write_ptr[1] = (char *)code + size;
	write_ptr += 2;
	OTHER;
}
void erts_end_staging_ranges(int commit) {
	struct ranges *s = &r[the_staging_code_index];
	if (commit && !write_ptr) { s->n = 0; return; }
	s->n = commit ? (write_ptr - s->modules) / 2 : r[the_active_code_index].n;
	__atomic_store_n(&s->mid, (long)(s->modules + s->n), __ATOMIC_SEQ_CST);
}
`

// runtime compiles a runtime, and returns it stripped, with the address that its table had before.
func runtime(t *testing.T, text string, flags ...string) (stripped *elf.File, table uint64, path string) {
	t.Helper()
	for _, tool := range []string{"gcc", "strip"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("GKEPROF_NEED_ALL") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	folder := t.TempDir()
	input, path := filepath.Join(folder, "beam.c"), filepath.Join(folder, "beam.smp")
	if err := os.WriteFile(input, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	words := append([]string{"-O2", "-fPIE", "-pie", "-rdynamic", "-o", path, input}, flags...)
	if message, err := exec.Command("gcc", words...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, message)
	}
	whole := opened(t, path)
	symbols, err := whole.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range symbols {
		if symbol.Name == "r" {
			table = symbol.Value
		}
	}
	if err := Named(whole); err != nil && strings.Contains(text, `RELEASE "27"`) {
		t.Errorf("with its symbols: %v", err)
	}
	if message, err := exec.Command("strip", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, message)
	}
	return opened(t, path), table, path
}

func opened(t *testing.T, path string) *elf.File {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func with(release, other string) string {
	return "#define RELEASE " + `"` + release + `"` + "\n#define OTHER " + other + "\n" + source
}

func TestRanges(t *testing.T) {
	for _, flags := range [][]string{{"-O2"}, {"-O3"}, {"-Os"}, {"-O2", "-fcf-protection=full"}, {"-O2", "-fno-omit-frame-pointer"}} {
		file, table, _ := runtime(t, with("27", ""), flags...)
		found, err := Ranges(file)
		if err != nil || found != table || table == 0 {
			t.Errorf("%v: %#x, not %#x (%v)", flags, found, table, err)
		}
		if err := Named(file); err != nil {
			t.Errorf("%v: %v", flags, err)
		}
	}
}

func TestNotNamed(t *testing.T) {
	for _, each := range []struct{ text, problem string }{
		{with("26", ""), `does not know Erlang/OTP "26"`},
		{with("29", ""), `does not know Erlang/OTP "29"`},
		{with("x", ""), `does not know Erlang/OTP`},
		// A function that takes another address as well: then nobody knows which one it is.
		{with("27", "release(0, &mem_used)"), "takes the address"},
		{strings.ReplaceAll(with("27", ""), "erts_update_ranges", "erts_other"), "erts_update_ranges is not exported"},
		{strings.ReplaceAll(with("28", ""), "beam_normal_exit", "other"), "no beam_normal_exit"},
		{strings.ReplaceAll(with("28", ""), "etp_otp_release", "other"), "no etp_otp_release"},
	} {
		file, _, _ := runtime(t, each.text)
		if err := Named(file); err == nil || !strings.Contains(err.Error(), each.problem) {
			t.Errorf("%v, and not %q", err, each.problem)
		}
	}
}

func TestFindOfWhatIsNoRuntime(t *testing.T) {
	for _, text := range []string{"", "#!/bin/sh\n", "\x7fELF\x02\x01\x01\x00" + strings.Repeat("\xfe", 300)} {
		if address, err := Find(strings.NewReader(text)); err == nil {
			t.Errorf("%q: %#x", text, address)
		}
	}
}

// Any of its bytes may be changed: it is a tenant's.
func TestFindInDamagedRuntime(t *testing.T) {
	_, _, path := runtime(t, with("27", ""))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 17 {
		whole[i] ^= 0xff
		_, _ = Find(bytes.NewReader(whole))
		whole[i] ^= 0xff
	}
}
