package main

import (
	"debug/elf"
	"encoding/binary"
)

// The largest .eh_frame that is read. That of Chromium, 200 MB of code, has 25 MB.
const maxFrameBytes = 64 << 20

// frameRegister is the number that DWARF has for the frame pointer: of the System V ABI for AMD64 (figure 3.36), and of
// DWARF for the Arm 64-bit Architecture.
func frameRegister(machine elf.Machine) uint64 {
	if machine == elf.EM_AARCH64 {
		return 29
	}
	return 6
}

// frameBytes sums bytes of code by what their functions do with the register of the frame pointer.
type frameBytes struct {
	with    uint64 // the frame is found by it at some place
	without uint64 // all others that move the stack pointer
	// Those of the others that save it and use it for something else. A stack that is walked by frame pointers ends there, while
	// only one caller is missing where a function leaves the register alone.
	reuse uint64
}

// countFramePointers sums the functions of a program. Those that never touch the stack have no frame, and do not count.
// Format: Linux Standard Base 5.0, 10.6 (.eh_frame); DWARF 5, 6.4.2 and 7.24 (instructions). Only the encodings of
// pointers that compilers write for native code are read, four and eight bytes.
func countFramePointers(section []byte, register uint64, order binary.ByteOrder, is64 bool) (sum frameBytes) {
	encodings := map[int]byte{}
	for at := 0; at+4 <= len(section); {
		length := int(order.Uint32(section[at:]))
		begin := at + 4
		if length == 0 || length < 4 || length > len(section)-begin {
			break
		}
		record := section[begin : begin+length]
		id := int(order.Uint32(record))
		if id == 0 {
			encodings[at] = encodingOf(record[4:])
		} else if encoding, ok := encodings[begin-id]; ok {
			size := pointerSize(encoding, is64)
			if size > 0 && len(record) >= 4+2*size {
				code := uint64(order.Uint32(record[4+size:]))
				if size == 8 {
					code = order.Uint64(record[4+size:])
				}
				if code > 1<<26 {
					code = 0
				}
				rules := instructions(record[4+2*size:], register)
				switch {
				case rules.frame:
					sum.with += code
				case rules.moves:
					sum.without += code
					if rules.saves {
						sum.reuse += code
					}
				}
			}
		}
		at = begin + length
	}
	return sum
}

// encodingOf reads a CIE behind its id: how the addresses of its functions are written (DW_EH_PE_*); 0 is an address in full.
func encodingOf(cie []byte) byte {
	if len(cie) < 2 {
		return 0
	}
	augmentation := ""
	at := 1
	for at < len(cie) && cie[at] != 0 {
		augmentation += string(cie[at])
		at++
	}
	at++
	if augmentation == "" || augmentation[0] != 'z' {
		return 0
	}
	_, at = leb(cie, at) // code alignment
	_, at = leb(cie, at) // data alignment
	_, at = leb(cie, at) // return address register
	_, at = leb(cie, at) // length of the augmentation
	for _, letter := range augmentation[1:] {
		if at >= len(cie) {
			return 0
		}
		switch letter {
		case 'R':
			return cie[at]
		case 'P':
			size := pointerSize(cie[at], true)
			if size == 0 {
				return 0
			}
			at += 1 + size
		case 'L':
			at++
		}
	}
	return 0
}

func pointerSize(encoding byte, is64 bool) int {
	switch encoding & 0x0f {
	case 0x00:
		if is64 {
			return 8
		}
		return 4
	case 0x03, 0x0b:
		return 4
	case 0x04, 0x0c:
		return 8
	}
	return 0
}

// leb reads a LEB128 number, signed or not: only its length matters for a signed one.
func leb(bytes []byte, at int) (value uint64, next int) {
	for shift := uint(0); at < len(bytes); shift += 7 {
		b := bytes[at]
		at++
		if shift < 64 {
			value |= uint64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			break
		}
	}
	return value, at
}

// frameRules are what .eh_frame says of one function.
type frameRules struct {
	frame bool // its frame is found by the register
	moves bool // it moves the stack pointer
	saves bool // it saves the register
}

// instructions reads the rules of a function. `fde` begins behind the two addresses, with the length of the augmentation.
func instructions(fde []byte, register uint64) (rules frameRules) {
	skip, at := leb(fde, 0)
	if skip > uint64(len(fde)-at) {
		return rules
	}
	at += int(skip)
	for at < len(fde) {
		op := fde[at]
		at++
		var value uint64
		switch {
		case op>>6 == 1 || op>>6 == 3: // advance_loc, restore: the operand is in the opcode
		case op>>6 == 2: // offset, of the register in the opcode
			rules.saves = rules.saves || uint64(op&0x3f) == register
			_, at = leb(fde, at)
		case op == 0x0c: // def_cfa register, offset
			value, at = leb(fde, at)
			_, at = leb(fde, at)
			rules.frame = rules.frame || value == register
			rules.moves = true
		case op == 0x0d: // def_cfa_register
			value, at = leb(fde, at)
			rules.frame = rules.frame || value == register
		case op == 0x0e: // def_cfa_offset
			_, at = leb(fde, at)
			rules.moves = true
		case op == 0x02: // advance_loc1
			at++
		case op == 0x03:
			at += 2
		case op == 0x04:
			at += 4
		case op == 0x01: // set_loc: an address, which no compiler writes here
			return rules
		case op == 0x05 || op == 0x09 || op == 0x11 || op == 0x12 || op == 0x14:
			_, at = leb(fde, at)
			_, at = leb(fde, at)
		case op == 0x06 || op == 0x07 || op == 0x08 || op == 0x13 || op == 0x2e:
			_, at = leb(fde, at)
		case op == 0x0f: // def_cfa_expression
			value, at = leb(fde, at)
			if value > uint64(len(fde)-at) {
				return rules
			}
			at += int(value)
			rules.moves = true
		case op == 0x10 || op == 0x16: // expression
			_, at = leb(fde, at)
			value, at = leb(fde, at)
			if value > uint64(len(fde)-at) {
				return rules
			}
			at += int(value)
		}
	}
	return rules
}
