package ruby

import (
	"debug/elf"
	"errors"
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// Names returns the address of ruby_global_symbols, which leads to the names of methods that are written in C.
//
// It is a variable that rb_sym_all_symbols reads first of all (symbol.c), and begins with the number of the last
// symbol that is built in, followed by two words that are zero until Ruby has begun. (In Ruby 2.7 to 4.0.)
func Names(file *elf.File) (address uint64, err error) {
	reader, ok := exported(file, "rb_sym_all_symbols")
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
		value, ok := wordAt(file, word)
		// A Ruby has some 170 operators, and some 70 names beside them.
		if !ok || i == 0 && (value < 128 || value > 1024) || i > 0 && value != 0 {
			return false
		}
	}
	return address%8 == 0
}

// referredX86 lists the addresses that the beginning of a function refers to.
func referredX86(file *elf.File, address uint64) []uint64 {
	code := codeAt(file, address)
	var places []uint64
	for at := 0; at < len(code); {
		instruction, length := decodeX86(code[at:])
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
	code := codeAt(file, address)
	pages := map[uint32]uint64{}
	var places []uint64
	for at := 0; at+4 <= len(code); at += 4 {
		word := file.ByteOrder.Uint32(code[at:])
		if register, page, ok := pageOf(word, address+uint64(at)); ok {
			pages[register] = page
		} else if register, offset, ok := offsetOf(word); ok {
			if page, known := pages[register]; known {
				places = append(places, page+offset)
			}
		}
	}
	return places
}

// pageOf reads adrp: the register, and the address of the page (Arm ARM, C6.2.13).
func pageOf(word uint32, pc uint64) (register uint32, page uint64, ok bool) {
	if word&0x9f000000 != 0x90000000 {
		return 0, 0, false
	}
	// 21 bits with a sign, in units of 4096 bytes; the lower two are apart.
	pages := int32(word<<8)>>13<<2 | int32(word>>29&3)
	return word & 31, pc&^0xfff + uint64(int64(pages)<<12), true
}

// offsetOf reads `add x, x, #offset` and `ldr x, [x, #offset]`: the register that is added to, and the offset (C6.2.5, C6.2.194).
func offsetOf(word uint32) (register uint32, offset uint64, ok bool) {
	register, offset = word>>5&31, uint64(word>>10&0xfff)
	switch word & 0xffc00000 {
	case 0x91000000:
		return register, offset, true
	case 0xf9400000:
		return register, offset * 8, true
	}
	return 0, 0, false
}
