package ruby

import (
	"debug/elf"
	"errors"
	"fmt"

	"golang.org/x/arch/x86/x86asm"

	"gkeprof-unwinder/elfcode"
)

// readers are exported functions which begin by reading the current execution context, and read no other variable of the
// thread before it. They are so in Ruby 3.0 to 3.4 (eval.c, thread.c, cont.c), where ruby_current_ec is such a variable.
var readers = []string{
	"rb_block_given_p",
	"rb_errinfo",
	"rb_fiber_current",
	"rb_frame_callee",
	"rb_frame_this_func",
	"rb_keyword_given_p",
	"rb_set_errinfo",
	"rb_thread_current",
}

// fewestReaders must be found, and all that are found must read the same variable.
const fewestReaders = 3

// CurrentContext returns where ruby_current_ec is within the thread-local variables of the library: its offset in the block that
// the library has in each thread.
//
// A library reaches such a variable by an entry of its global offset table, which has a relocation of a kind of its own (ELF
// Handling For Thread-Local Storage, Drepper, 4.1). So the first address in the code of a function that has one
// is that of the first variable that it reads.
func CurrentContext(file *elf.File) (offset uint64, err error) {
	symbols, err := elfcode.DynamicSymbols(file)
	if err != nil {
		return 0, err
	}
	entries, err := threadLocalEntries(file, symbols)
	if err != nil {
		return 0, err
	}
	addresses := map[string]uint64{}
	for _, symbol := range symbols {
		if symbol.Name == "ruby_current_ec" && elf.ST_TYPE(symbol.Info) == elf.STT_TLS {
			return symbol.Value, nil
		}
		if symbol.Section != elf.SHN_UNDEF && elf.ST_TYPE(symbol.Info) == elf.STT_FUNC {
			addresses[symbol.Name] = symbol.Value
		}
	}
	find := firstVariableX86
	switch file.Machine {
	case elf.EM_X86_64:
	case elf.EM_AARCH64:
		find = firstVariableArm
	default:
		return 0, fmt.Errorf("no way to read the code of %v", file.Machine)
	}
	votes := 0
	for _, name := range readers {
		address, ok := addresses[name]
		if !ok {
			continue
		}
		found, ok := find(file, entries, address, true)
		if !ok {
			continue
		}
		if votes > 0 && found != offset {
			return 0, fmt.Errorf("%s reads another thread-local variable (at %d) than the functions before it (at %d)",
				name, found, offset)
		}
		offset = found
		votes++
	}
	if votes < fewestReaders {
		return 0, fmt.Errorf("only %d functions are known to read the execution context", votes)
	}
	return offset, nil
}

// threadLocalEntries lists the entries of the global offset table that lead to thread-local variables, each with the offset of
// its variable in the block of the library. An entry for the block as a whole has offset 0: the code adds the variable's.
func threadLocalEntries(file *elf.File, symbols []elf.Symbol) (map[uint64]uint64, error) {
	module, offset, descriptor := uint32(elf.R_X86_64_DTPMOD64), uint32(elf.R_X86_64_DTPOFF64), uint32(elf.R_X86_64_TLSDESC)
	if file.Machine == elf.EM_AARCH64 {
		module, offset, descriptor = uint32(elf.R_AARCH64_TLS_DTPMOD64), uint32(elf.R_AARCH64_TLS_DTPREL64), uint32(elf.R_AARCH64_TLSDESC)
	}
	// debug/elf leaves the first symbol out, which is none.
	valueOf := func(r elf.Rela64) uint64 {
		if i := elf.R_SYM64(r.Info); i > 0 && int(i) <= len(symbols) {
			return symbols[i-1].Value + uint64(r.Addend)
		}
		return uint64(r.Addend)
	}
	entries, offsets := map[uint64]uint64{}, map[uint64]uint64{}
	var modules []uint64
	err := elfcode.Relocations(file, func(r elf.Rela64) {
		switch elf.R_TYPE64(r.Info) {
		case module:
			modules = append(modules, r.Off)
		case offset:
			offsets[r.Off] = valueOf(r)
		case descriptor:
			entries[r.Off] = valueOf(r)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, at := range modules {
		known, ok := offsets[at+8]
		if !ok {
			// The linker has written it: the variable is not exported.
			known, ok = elfcode.WordAt(file, at+8)
		}
		if ok {
			entries[at] = known
		}
	}
	if len(entries) == 0 {
		return nil, errors.New("no thread-local variables of a library")
	}
	return entries, nil
}

// firstVariableX86 follows the code of a function to the first thread-local variable that it reads, and returns its offset in
// the block. `calls`: the function may leave the reading to the first that it calls.
func firstVariableX86(file *elf.File, entries map[uint64]uint64, address uint64, calls bool) (offset uint64, ok bool) {
	code := elfcode.CodeAt(file, address)
	entry, found := uint64(0), false
	block := x86asm.RAX
	called := false
	for at := 0; at < len(code); {
		instruction, length := elfcode.DecodeX86(code[at:])
		next := address + uint64(at+length)
		at += length
		switch {
		case instruction.Op == x86asm.LEA && !found:
			memory, _ := instruction.Args[1].(x86asm.Mem)
			if memory.Base != x86asm.RIP {
				continue
			}
			entry, found = entries[next+uint64(memory.Disp)]
		case instruction.Op == x86asm.CALL && found && !called:
			called = true
		case instruction.Op == x86asm.CALL && calls && !found:
			if target, ok := instruction.Args[0].(x86asm.Rel); ok {
				return firstVariableX86(file, entries, next+uint64(int64(target)), false)
			}
			return 0, false
		case instruction.Op == x86asm.CALL, instruction.Op == x86asm.RET, instruction.Op == x86asm.JMP:
			return 0, false
		case called:
			// The call has returned the variable's address, or that of the block, to which this instruction adds.
			for _, argument := range instruction.Args {
				if memory, ok := argument.(x86asm.Mem); ok && memory.Base == block {
					return entry + uint64(memory.Disp), true
				}
			}
			if instruction.Op == x86asm.MOV && instruction.Args[1] == x86asm.Arg(block) {
				if register, ok := instruction.Args[0].(x86asm.Reg); ok {
					block = register
				}
			}
		}
	}
	return 0, false
}

// firstVariableArm does the same for arm64, whose libraries reach such variables by descriptors: adrp, and ldr or add, have the
// address of the entry.
func firstVariableArm(file *elf.File, entries map[uint64]uint64, address uint64, calls bool) (offset uint64, ok bool) {
	code := elfcode.CodeAt(file, address)
	pages := map[uint32]uint64{}
	for at := 0; at+4 <= len(code); at += 4 {
		word, pc := file.ByteOrder.Uint32(code[at:]), address+uint64(at)
		if register, page, ok := elfcode.PageOf(word, pc); ok {
			pages[register] = page
			continue
		}
		if register, offset, ok := elfcode.OffsetOf(word); ok {
			page, known := pages[register]
			if variable, isEntry := entries[page+offset]; known && isEntry {
				return variable, true
			}
			continue
		}
		switch {
		case word&0xfc000000 == 0x94000000: // bl
			if !calls {
				return 0, false
			}
			return firstVariableArm(file, entries, branchTarget(word, pc), false)
		case word&0xfc000000 == 0x14000000, word&0xfffffc1f == 0xd65f0000: // b, ret
			return 0, false
		}
	}
	return 0, false
}

// branchTarget is where b and bl go: 26 bits with a sign, in units of four bytes (Arm ARM, C6.2.33).
func branchTarget(word uint32, pc uint64) uint64 {
	return pc + uint64(int64(int32(word<<6)>>4))
}
