package perl

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// profiler returns the profiler's compiled programs for an architecture.
func profiler(t *testing.T, architecture string) *ebpf.CollectionSpec {
	t.Helper()
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.opentelemetry.io/ebpf-profiler").Output()
	if err != nil {
		t.Fatal(err)
	}
	collection, err := ebpf.LoadCollectionSpec(filepath.Join(strings.TrimSpace(string(folder)), "support/ebpf/tracer.ebpf."+architecture))
	if err != nil {
		t.Fatal(err)
	}
	return collection
}

// raw has an element for each slot: the instruction in the first of its slots, and nil in the second.
func raw(program asm.Instructions) []*asm.Instruction {
	var slots []*asm.Instruction
	for i := range program {
		slots = append(slots, &program[i])
		for range slotsOf(program[i:i+1]) - 1 {
			slots = append(slots, nil)
		}
	}
	return slots
}

func isJump(i *asm.Instruction) bool {
	return i != nil && (i.OpCode.Class() == asm.JumpClass || i.OpCode.Class() == asm.Jump32Class) &&
		i.OpCode.JumpOp() != asm.Call && i.OpCode.JumpOp() != asm.Exit
}

func TestTellNamedSubs(t *testing.T) {
	for _, architecture := range []string{"amd64", "arm64"} {
		before, after := profiler(t, architecture), profiler(t, architecture)
		if err := TellNamedSubs(after); err != nil {
			t.Fatal(err)
		}
		count := 0
		for name, program := range before.Programs {
			old, changed := raw(program.Instructions), raw(after.Programs[name].Instructions)
			if len(old) != len(changed) {
				t.Fatalf("%s: %d slots became %d", name, len(old), len(changed))
			}
			first, last := -1, -1
			for i := range old {
				if (old[i] == nil) != (changed[i] == nil) || old[i] != nil && !same(*old[i], *changed[i]) {
					if first < 0 {
						first = i
					}
					last = i
				}
			}
			if strings.HasSuffix(name, "unwind_perl") != (first >= 0) {
				t.Errorf("%s of %s: changed at %d", name, architecture, first)
			}
			if first < 0 {
				continue
			}
			count++
			// The branch is the one that the test for CVf_NAMED does not leave.
			test, skip := old[first-2], old[first-1]
			if test.OpCode != asm.And.Op(asm.ImmSource) || test.Constant != named || first+int(skip.Offset) != last+1 {
				t.Errorf("%s of %s: %v, %v, and then %d to %d were changed", name, architecture, test, skip, first, last)
			}
			// Nothing else leads into it.
			for i, each := range old {
				if target := i + 1; isJump(each) {
					target += int(each.Offset)
					if (i < first || i > last) && target > first && target <= last {
						t.Errorf("%s of %s: %d jumps into the branch, to %d", name, architecture, i, target)
					}
				}
			}
			// It ends where the address on the stack is recorded, and that is the one of the CV.
			target := last + 1 + int(changed[last].Offset)
			if !same(*changed[target], asm.LoadMem(asm.R1, asm.R1, 0, asm.DWord)) {
				t.Errorf("%s of %s: it goes to %v", name, architecture, changed[target])
			}
			place := changed[target+1].Offset
			if changed[last-1].Constant != int64(place) || place >= 0 {
				t.Errorf("%s of %s: it takes what is at %d, and the CV is at %d", name, architecture, changed[last-1].Constant, place)
			}
		}
		if count != 2 {
			t.Errorf("%d programs of %s were changed", count, architecture)
		}
	}
}

func TestTellNamedSubsRefusesOtherPrograms(t *testing.T) {
	if err := TellNamedSubs(&ebpf.CollectionSpec{}); err == nil {
		t.Error("a collection without the program is taken")
	}
	changed := profiler(t, "amd64")
	if err := TellNamedSubs(changed); err != nil {
		t.Fatal(err)
	}
	if err := TellNamedSubs(changed); err == nil || !strings.Contains(err.Error(), "the branch for CVf_NAMED") {
		t.Errorf("a program that is changed already is taken: %v", err)
	}
	other := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{"perf_unwind_perl": {Instructions: asm.Instructions{
		asm.Mov.Imm(asm.R0, 0), asm.Return(),
	}}}}
	if err := TellNamedSubs(other); err == nil || !strings.Contains(err.Error(), "the test for CVf_NAMED: it is nowhere") {
		t.Errorf("another program is taken: %v", err)
	}
}

func TestNamed(t *testing.T) {
	name, err := exec.LookPath("perl")
	if err != nil {
		if os.Getenv("GKEPROF_NEED_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	interpreter, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer interpreter.Close()
	// It may be a small program that needs libperl.
	libraries, err := interpreter.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	if err := Named(interpreter); err != nil && !strings.Contains(strings.Join(libraries, " "), "libperl") {
		t.Errorf("%s: %v", name, err)
	}
	other, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := Named(other); err == nil {
		t.Error("a program of Go is taken for perl")
	}
}
