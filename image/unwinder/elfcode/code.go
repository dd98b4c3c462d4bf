package elfcode

import (
	"debug/elf"

	"golang.org/x/arch/x86/x86asm"
)

// MaxCodeBytes of a function are read: what is looked for in one is near its beginning.
const MaxCodeBytes = 256

// CodeAt reads the beginning of a function, as much as the file has of it.
func CodeAt(file *elf.File, address uint64) []byte {
	code := make([]byte, MaxCodeBytes)
	for len(code) >= 16 && !Load(file, address, code) {
		code = code[:len(code)/2]
	}
	return code
}

// DecodeX86 decodes an instruction. Of one that the decoder does not know, such as endbr64, it returns no operation and where the
// next may begin.
func DecodeX86(code []byte) (x86asm.Inst, int) {
	// endbr64: the decoder takes its first bytes for prefixes.
	if len(code) >= 4 && code[0] == 0xf3 && code[1] == 0x0f && code[2] == 0x1e && code[3] == 0xfa {
		return x86asm.Inst{}, 4
	}
	// The call to __tls_get_addr has prefixes that fill it up (Drepper, 4.3.1): they change nothing.
	if len(code) >= 4 && code[0] == 0x66 && code[1] == 0x66 && code[2] == 0x48 {
		instruction, length := DecodeX86(code[3:])
		return instruction, length + 3
	}
	instruction, err := x86asm.Decode(code, 64)
	if err != nil || instruction.Len == 0 {
		return x86asm.Inst{}, 1
	}
	return instruction, instruction.Len
}

// PageOf reads adrp: the register, and the address of the page (Arm ARM, C6.2.13).
func PageOf(word uint32, pc uint64) (register uint32, page uint64, ok bool) {
	if word&0x9f000000 != 0x90000000 {
		return 0, 0, false
	}
	// 21 bits with a sign, in units of 4096 bytes; the lower two are apart.
	pages := int32(word<<8)>>13<<2 | int32(word>>29&3)
	return word & 31, pc&^0xfff + uint64(int64(pages)<<12), true
}

// OffsetOf reads `add x, x, #offset` and `ldr x, [x, #offset]`: the register that is added to, and the offset (C6.2.5, C6.2.194).
func OffsetOf(word uint32) (register uint32, offset uint64, ok bool) {
	register, offset = word>>5&31, uint64(word>>10&0xfff)
	switch word & 0xffc00000 {
	case 0x91000000:
		return register, offset, true
	case 0xf9400000:
		return register, offset * 8, true
	}
	return 0, 0, false
}
