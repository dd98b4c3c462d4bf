package names

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

// known is a namer that knows some functions of /app, of process 7.
type known struct{ mapped []Mapping }

func (k *known) Mapped(m Mapping) { k.mapped = append(k.mapped, m) }

func (k *known) Name(pid int, path string, offset uint64) (string, uint64, bool) {
	if pid == 7 && path == "/app (deleted)" && offset == 0x1234 {
		return "main.work", 4, true
	}
	return "", 0, false
}

func (k *known) BuildIDs(pid int, path string) []string {
	if strings.HasPrefix(path, "/app") {
		return []string{"aabb"}
	}
	return nil
}

func filtered(t *testing.T, text string) (string, *known) {
	t.Helper()
	namer := &known{}
	var out bytes.Buffer
	if err := NewFilter(namer).Copy(&out, iotest.OneByteReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	return out.String(), namer
}

func TestFrames(t *testing.T) {
	const event = "app       7/8       [000] 41163.635544:   10101010 cpu-clock: \n"
	for _, c := range []struct{ name, frame, want string }{
		{"a name is found", "\t          401234 [unknown] (/app (deleted)+0x1234)", "\t          401234 main.work+0x4 (/app (deleted))"},
		{"none is found", "\t          401235 [unknown] (/app+0x1235)", "\t          401235 [unknown] (/app+0x1235)"},
		{"perf knows it", "\t          401235 main+0x1f (/app+0x1235)", "\t          401235 main+0x1f (/app)"},
		{"brackets in the symbol", "\t          401235 net.(*FD).Read (x)+0x1f (/a (b)/c+0x1235)", "\t          401235 net.(*FD).Read (x)+0x1f (/a (b)/c)"},
		{"the kernel", "\tffffffff81a00000 [unknown] ([kernel.kallsyms])", "\tffffffff81a00000 [unknown] ([kernel.kallsyms])"},
		{"no file", "\t    7f0000000000 [unknown] ([unknown])", "\t    7f0000000000 [unknown] ([unknown])"},
		{"memory", "\t    7f0000000000 [unknown] (//anon+0x12)", "\t    7f0000000000 [unknown] (//anon)"},
		{"a map of a JIT", "\t    7f0000000000 [unknown] (/tmp/perf-7.map+0x12)", "\t    7f0000000000 [unknown] (/tmp/perf-7.map)"},
		{"the vdso", "\t    7f0000000000 [unknown] ([vdso]+0x12)", "\t    7f0000000000 [unknown] ([vdso])"},
		{"inlined", "\t          401235 helper (inlined)", "\t          401235 helper (inlined)"},
		{"an offset without digits", "\t          401235 [unknown] (/b+0x)", "\t          401235 [unknown] (/b+0x)"},
		{"nothing but an address", "\t          401235", "\t          401235"},
	} {
		out, _ := filtered(t, event+c.frame+"\n\n")
		out = strings.TrimPrefix(out, "# build-id: aabb /app\n")
		if want := event + c.want + "\n\n"; out != want {
			t.Errorf("%s:\n%q instead of\n%q", c.name, out, want)
		}
	}
}

func TestBuildIDsStandBeforeTheFirstSample(t *testing.T) {
	sample := "app       7/8       [000] 41163.635544:   10101010 cpu-clock: \n\t          401235 [unknown] (/app+0x1235)\n\n"
	out, _ := filtered(t, "# ========\n#\n"+sample+sample)
	// The header has no blank line behind it, so it belongs to the first sample.
	if want := "# build-id: aabb /app\n# ========\n#\n" + sample + sample; out != want {
		t.Errorf("%q instead of\n%q", out, want)
	}
}

func TestMappingsAreReadAndLeftOut(t *testing.T) {
	out, namer := filtered(t, `swapper       0/0       [000]     0.000000: PERF_RECORD_MMAP -1/0: [0xffffffffc0000000(0x1000) @ 0]: x /lib/modules/x.ko
app           0/0       [000]     0.000000: PERF_RECORD_MMAP2 694/694: [0x55a0b916f000(0x6000) @ 0x2000 <b1edf383f73809da039e8802cc3422daac38959e>]: r-xp /usr/bin/time out
app           0/0       [000]     0.000000: PERF_RECORD_MMAP2 695/695: [0x7fda35794000(0x2000) @ 0 fd:1a 77 1]: r-xp /app
app           0/0       [000]     0.000000: PERF_RECORD_MMAP2 696/696: [0x7fda35794000(0x2000) @ 0 <6e6f2073756368206275696c6420696420202020>]: r-xp /app
`)
	if out != "" {
		t.Errorf("left in the text: %q", out)
	}
	want := []Mapping{
		{PID: 694, Path: "/usr/bin/time out", BuildID: "b1edf383f73809da039e8802cc3422daac38959e"},
		{PID: 695, Path: "/app", Device: 0xfd<<32 | 0x1a, Inode: 77, HasIdentity: true},
		{PID: 696, Path: "/app"},
	}
	if fmt.Sprint(namer.mapped) != fmt.Sprint(want) {
		t.Errorf("%+v", namer.mapped)
	}
}

func TestProcessOfAnEventLine(t *testing.T) {
	for line, want := range map[string]int{
		"app     7/8       [000] 41163.635544:   10101010 cpu-clock: ":   7,
		"7/8     [001] 1.2: 3 c: 77/88 [000] 41163.635544: 1 cycles:P: ": 77,
		"app     7/8       41163.635544: cycles: ":                       7,
		"app     -1/-1     [000] 41163.635544:          1 cycles: ":      -1,
	} {
		if pid, ok := pidOf([]byte(line)); !ok || pid != want {
			t.Errorf("%q: %d, %v", line, pid, ok)
		}
	}
	for _, line := range []string{"", ":", "# cmdline : perf record", "a b c", "app 7/8 [000] 1.2: PERF_RECORD_LOST lost 3"} {
		if pid, ok := pidOf([]byte(line)); ok {
			t.Errorf("%q: %d", line, pid)
		}
	}
}

func TestOtherTextStaysAsItIs(t *testing.T) {
	for _, text := range []string{
		"", "\n", "no line feed", "# comment\n\n", "app 7/8 [000] 1.2: PERF_RECORD_LOST lost 3\n",
		"\t401235 [unknown] (/b+0x", strings.Repeat("x", 3*longestLine) + "\nend\n",
		strings.Repeat("x", longestLine) + "\n", "\xff\xfe\x00\n",
	} {
		if out, _ := filtered(t, text); out != text {
			t.Errorf("%.80q became %.80q", text, out)
		}
	}
}

func FuzzCopy(f *testing.F) {
	f.Add("app 7/8 [000] 1.2: 3 c: \n\t 40 [unknown] (/app+0x1)\n\n")
	f.Add("a 0/0 [000] 0.0: PERF_RECORD_MMAP2 694/694: [0x1(0x6) @ 0x2 <b1>]: r-xp /usr\n")
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		if err := NewFilter(&known{}).Copy(&out, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if strings.Count(out.String(), "\n\n") < strings.Count(text, "\n\n") && !strings.Contains(text, "PERF_RECORD_MMAP") {
			t.Errorf("%q lost a sample: %q", text, out.String())
		}
	})
}
