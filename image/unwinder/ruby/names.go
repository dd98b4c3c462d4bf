package ruby

import (
	"debug/elf"
	"errors"
	"fmt"

	"golang.org/x/arch/x86/x86asm"

	"gkeprof-unwinder/elfcode"
)

// Names returns the address of ruby_global_symbols, which leads to the names of methods that are written in C.
//
// It is a variable that rb_sym_all_symbols reads first of all (symbol.c), and begins with the number of the last
// symbol that is built in, followed by two words that are zero until Ruby has begun. (In Ruby 2.7 to 4.0.)
func Names(file *elf.File) (address uint64, err error) {
	reader, ok := elfcode.Exported(file, "rb_sym_all_symbols")
	if !ok {
		return 0, errors.New("rb_sym_all_symbols is not exported")
	}
	referred := referredX86
	if file.Machine == elf.EM_AARCH64 {
		referred = referredArm
	}
	found := map[uint64]bool{}
	for _, place := range referred(file, reader.Value) {
		// Its second word may be read without the address of the first.
		for _, candidate := range []uint64{place, place - 8} {
			if beginsSymbols(file, candidate) {
				found[candidate] = true
			}
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d variables look as ruby_global_symbols does", len(found))
	}
	for address = range found {
	}
	return address, nil
}

func beginsSymbols(file *elf.File, address uint64) bool {
	for i, word := range []uint64{address, address + 8, address + 16} {
		value, ok := elfcode.WordAt(file, word)
		// A Ruby has some 170 operators, and some 70 names beside them.
		if !ok || i == 0 && (value < 128 || value > 1024) || i > 0 && value != 0 {
			return false
		}
	}
	return address%8 == 0
}

// referredX86 lists the addresses that the beginning of a function refers to.
func referredX86(file *elf.File, address uint64) []uint64 {
	code := elfcode.CodeAt(file, address)
	var places []uint64
	for at := 0; at < len(code); {
		instruction, length := elfcode.DecodeX86(code[at:])
		at += length
		for _, argument := range instruction.Args {
			if memory, ok := argument.(x86asm.Mem); ok && memory.Base == x86asm.RIP {
				places = append(places, address+uint64(at)+uint64(memory.Disp))
			}
		}
	}
	return places
}

// referredArm does the same for arm64, where an address is put together of a page and an offset.
func referredArm(file *elf.File, address uint64) []uint64 {
	code := elfcode.CodeAt(file, address)
	pages := map[uint32]uint64{}
	var places []uint64
	for at := 0; at+4 <= len(code); at += 4 {
		word := file.ByteOrder.Uint32(code[at:])
		if register, page, ok := elfcode.PageOf(word, address+uint64(at)); ok {
			pages[register] = page
		} else if register, offset, ok := elfcode.OffsetOf(word); ok {
			if page, known := pages[register]; known {
				places = append(places, page+offset)
			}
		}
	}
	return places
}
