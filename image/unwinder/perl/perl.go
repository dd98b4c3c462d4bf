// Package perl mends the profiler's program that walks Perl's stack, so that it tells the name of an ordinary sub.
//
// Since Perl 5.22 a sub needs no glob: its CV has the flag CVf_NAMED, and its name itself, until something asks for a glob, such
// as the first call of it as a method (perl5220delta, "Internal Changes"; CvNAMED in cv.h). The profiler's program
// takes such a CV for one that has been undefined, and leaves its frame out (resolve_cv_egv of perl_tracer.ebpf.c): of most
// programs it tells the top level alone.
package perl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// named is CVf_NAMED of cv.h.
const named = 0x8000

// TellNamedSubs changes the programs so that they deliver, of a CV with CVf_NAMED, its own address instead of that of a glob.
// What reads the process's memory tells the two apart by their types.
//
// The profiler's programs come compiled. In them, only the branch for such a CV is changed. It prints a message for
// debugging and goes on to the next frame; now it goes to where the address of a glob is recorded.
func TellNamedSubs(collection *ebpf.CollectionSpec) error {
	count := 0
	for name, program := range collection.Programs {
		if !strings.HasSuffix(name, "unwind_perl") {
			continue
		}
		changed, err := tellNamedSubs(program.Instructions)
		if err != nil {
			return fmt.Errorf("the program %s is not the one that is known: %w", name, err)
		}
		program.Instructions = changed
		count++
	}
	if count == 0 {
		return errors.New("no program walks Perl's stack")
	}
	return nil
}

// tellNamedSubs returns one program with the change:
//
//	    *(u64 *)(r10 - X) = r3     the address of the CV is kept
//	    …                          (its type is tested, and its flags are read)
//	    r1 &= CVf_NAMED
//	    if r1 == 0 goto glob
//	    …                          the branch for CVf_NAMED, which is changed
//	glob:
//	    …                          (the glob is found; r1 becomes the address of the place of its address)
//	record:
//	    r1 = *(u64 *)(r1 + 0)
//	    *(u64 *)(r10 - X) = r1     the address of the glob takes the place of that of the CV
//	    if r1 == 0 goto skip
//
// The branch for CVf_NAMED becomes `r1 = r10; r1 += -X; goto record`. The kernel's verifier proves that whatever else `record`
// needs is there on this way too.
func tellNamedSubs(program asm.Instructions) (asm.Instructions, error) {
	test, err := only(len(program)-1, func(i int) bool {
		return program[i].OpCode == asm.And.Op(asm.ImmSource) && program[i].Constant == named &&
			program[i+1].OpCode == jumpIfEqual && program[i+1].Dst == program[i].Dst
	})
	if err != nil {
		return nil, fmt.Errorf("the test for CVf_NAMED: %w", err)
	}
	record, err := only(len(program)-2, func(i int) bool {
		return i > test && same(program[i], asm.LoadMem(asm.R1, asm.R1, 0, asm.DWord)) &&
			same(program[i+1], asm.StoreMem(asm.RFP, program[i+1].Offset, asm.R1, asm.DWord)) &&
			program[i+2].OpCode == jumpIfEqual && program[i+2].Dst == asm.R1
	})
	if err != nil {
		return nil, fmt.Errorf("where a glob is recorded: %w", err)
	}
	place := program[record+1].Offset
	if _, err := only(test, func(i int) bool {
		return same(program[i], asm.StoreMem(asm.RFP, place, asm.R3, asm.DWord))
	}); err != nil {
		return nil, fmt.Errorf("where the address of the CV is kept: %w", err)
	}

	first, slots := test+2, int(program[test+1].Offset)
	after := first
	for after < record && slotsOf(program[first:after]) < slots {
		after++
	}
	if slotsOf(program[first:after]) != slots || slots < 4 || program[after-1].OpCode != jump ||
		!same(program[after-2], asm.FnTracePrintk.Call()) {
		return nil, errors.New("the branch for CVf_NAMED does not print a message and leave")
	}
	changed := append(asm.Instructions{}, program[:first]...)
	// All slots are filled, because a kernel refuses a program with instructions that nothing leads to.
	for range slots - 3 {
		changed = append(changed, asm.Mov.Imm(asm.R1, 0))
	}
	changed = append(changed, asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, int32(place)),
		asm.Instruction{OpCode: jump, Offset: int16(slotsOf(program[after:record]))})
	return append(changed, program[after:]...), nil
}

var (
	jump        = asm.Ja.Label("").OpCode
	jumpIfEqual = asm.JEq.Imm(asm.R1, 0, "").OpCode
)

// same compares what the kernel sees of two instructions.
func same(a, b asm.Instruction) bool {
	return a.OpCode == b.OpCode && a.Dst == b.Dst && a.Src == b.Src && a.Offset == b.Offset && a.Constant == b.Constant
}

// slotsOf is the length in the unit of jumps: the loading of a constant of 64 bits takes two.
func slotsOf(program asm.Instructions) int {
	return int(program.Size() / asm.InstructionSize)
}

// only returns the one number below `end` of which it is true.
func only(end int, is func(int) bool) (int, error) {
	found := -1
	for i := range end {
		if !is(i) {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("it is at %d and at %d", found, i)
		}
		found = i
	}
	if found < 0 {
		return 0, errors.New("it is nowhere")
	}
	return found, nil
}
