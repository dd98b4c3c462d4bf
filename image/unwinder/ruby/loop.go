// Package ruby finds in a stripped libruby what the profiler looks up by the names of symbols.
//
// A distribution's libruby has only the names of what it exports, and neither the interpreter's loop nor the variable with the
// execution context is exported (since Ruby 3.2; before that, the loop alone is not). Both show in what the file must have to
// run: the table of the loop's labels, and how exported functions reach the variable.
package ruby

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"gkeprof-unwinder/elfcode"
)

// maxTextBytes of code are searched for who calls the loop.
const maxTextBytes = 64 << 20

// fewestInstructions is less than any Ruby has (2.5 has some 200), and more than the other table of labels in a libruby has,
// that of the regular expressions' interpreter (98).
const fewestInstructions = 150

// Loop returns the function that interprets Ruby's instructions: vm_exec_core, or rb_vm_exec where the compiler
// made one function of the two.
//
// It has a table with the address of the code for each instruction (vm_exec.c and insns_address_table of vm_exec_core). The
// library is loaded anywhere, so each of its words is relocated: it is a run of relocations into one function, longer
// than any other.
//
// The other function is the one that calls it, rb_vm_exec, which has the interpreter's program counter while an exception
// looks for who rescues it. It is empty where it is not found.
func Loop(file *elf.File) (loop, caller Code, err error) {
	functions, err := functionsOf(file)
	if err != nil {
		return loop, caller, err
	}
	words, err := relocatedWords(file)
	if err != nil {
		return loop, caller, err
	}
	var best, second, run int
	var current Code
	finish := func() {
		switch {
		case run > best:
			if current != loop {
				second = best
			}
			best, loop = run, current
		case run > second && current != loop:
			second = run
		}
	}
	for i, word := range words {
		in, ok := functionAt(functions, word.target)
		if ok && run > 0 && in == current && word.at == words[i-1].at+8 {
			run++
			continue
		}
		finish()
		run = 0
		if ok {
			run, current = 1, in
		}
	}
	finish()
	need := max(fewestInstructions, instructionCount(file))
	if best < need || second*5 > best*4 {
		return Code{}, caller, fmt.Errorf("no table of the interpreter's labels: the longest has %d of %d, the next %d", best, need, second)
	}
	return loop, callerOf(file, functions, loop), nil
}

// callerOf returns the only function that calls another one directly, by its name; an empty one if there are none or several.
func callerOf(file *elf.File, functions []Code, called Code) (caller Code) {
	for _, s := range file.Sections {
		if s.Flags&elf.SHF_EXECINSTR == 0 {
			continue
		}
		code, err := elfcode.Data(s, maxTextBytes)
		if err != nil {
			continue
		}
		for at := 0; at+8 <= len(code); at++ {
			pc := s.Addr + uint64(at)
			var target uint64
			switch word := file.ByteOrder.Uint32(code[at:]); {
			case file.Machine == elf.EM_X86_64 && code[at] == 0xe8: // call
				target = pc + 5 + uint64(int64(int32(file.ByteOrder.Uint32(code[at+1:]))))
			case file.Machine == elf.EM_AARCH64 && at%4 == 0 && word&0xfc000000 == 0x94000000: // bl
				target = branchTarget(word, pc)
			}
			if target != called.Start {
				continue
			}
			in, ok := functionAt(functions, pc)
			if !ok || in == called || in == caller {
				continue
			}
			if caller != (Code{}) {
				return Code{}
			}
			caller = in
		}
	}
	return caller
}

// instructionCount is what the file itself tells of the number of instructions, if it does: rb_vm_insn_len_info has one byte for
// each.
func instructionCount(file *elf.File) int {
	if symbol, ok := elfcode.Exported(file, "rb_vm_insn_len_info"); ok && symbol.Size < 4096 {
		return int(symbol.Size)
	}
	return 0
}

// Code is that of a function, by addresses of the file; or a part of one, which the compiler has laid elsewhere.
type Code struct{ Start, End uint64 }

func functionAt(functions []Code, address uint64) (Code, bool) {
	i := sort.Search(len(functions), func(i int) bool { return functions[i].End > address })
	if i < len(functions) && functions[i].Start <= address {
		return functions[i], true
	}
	return Code{}, false
}

// functionsOf lists the functions by the index of the unwind information, .eh_frame_hdr (Linux Standard Base 5.0, 10.6.2), in
// the order of their addresses. Only the encodings are read that linkers write.
func functionsOf(file *elf.File) ([]Code, error) {
	index, indexAt, err := elfcode.Section(file, ".eh_frame_hdr")
	if err != nil {
		return nil, err
	}
	frames, framesAt, err := elfcode.Section(file, ".eh_frame")
	if err != nil {
		return nil, err
	}
	order := file.ByteOrder
	// Version 1; a count of 4 bytes; a table of 4 bytes each, relative to the section.
	if len(index) < 12 || index[0] != 1 || index[2] != 0x03 || index[3] != 0x3b {
		return nil, errors.New("the index of the unwind information is not of the usual kind")
	}
	count := min(int(order.Uint32(index[8:])), (len(index)-12)/8)
	functions := make([]Code, 0, count)
	for i := range count {
		entry := index[12+8*i:]
		start := indexAt + uint64(int64(int32(order.Uint32(entry))))
		at := indexAt + uint64(int64(int32(order.Uint32(entry[4:])))) - framesAt
		if at > uint64(len(frames)) || uint64(len(frames))-at < 16 {
			continue
		}
		frame := frames[at:]
		// Both addresses agree only where those of .eh_frame have 4 bytes and are relative to themselves.
		if framesAt+at+8+uint64(int64(int32(order.Uint32(frame[8:])))) != start {
			continue
		}
		if size := uint64(order.Uint32(frame[12:])); size > 0 {
			functions = append(functions, Code{start, start + size})
		}
	}
	sort.Slice(functions, func(i, j int) bool { return functions[i].Start < functions[j].Start })
	return functions, nil
}

// word is a word of the file that holds an address when the file is loaded.
type word struct{ at, target uint64 }

// relocatedWords lists them in the order of their places.
func relocatedWords(file *elf.File) ([]word, error) {
	relative := uint32(elf.R_X86_64_RELATIVE)
	if file.Machine == elf.EM_AARCH64 {
		relative = uint32(elf.R_AARCH64_RELATIVE)
	}
	var words []word
	err := elfcode.Relocations(file, func(r elf.Rela64) {
		if elf.R_TYPE64(r.Info) == relative {
			words = append(words, word{r.Off, uint64(r.Addend)})
		}
	})
	if err != nil {
		return nil, err
	}
	// Packed relocations say only where: the addresses stand in the words themselves.
	for _, s := range file.Sections {
		if uint32(s.Type) != shtRelr {
			continue
		}
		packed, err := elfcode.Data(s, elfcode.MaxRelocationBytes)
		if err != nil {
			return nil, err
		}
		for _, at := range unpack(packed, file.ByteOrder) {
			if target, ok := elfcode.WordAt(file, at); ok {
				words = append(words, word{at, target})
			}
		}
	}
	sort.Slice(words, func(i, j int) bool { return words[i].at < words[j].at })
	return words, nil
}

// shtRelr is SHT_RELR of the System V ABI, which debug/elf does not name.
const shtRelr = 19

// unpack lists the places of packed relocations: an even word is a place; an odd one a bitmap of the 63 words that follow.
func unpack(packed []byte, order binary.ByteOrder) []uint64 {
	var places []uint64
	var next uint64
	for ; len(packed) >= 8; packed = packed[8:] {
		entry := order.Uint64(packed)
		if entry&1 == 0 {
			places = append(places, entry)
			next = entry + 8
			continue
		}
		for bit := range uint64(63) {
			if entry>>(bit+1)&1 != 0 {
				places = append(places, next+8*bit)
			}
		}
		next += 63 * 8
	}
	return places
}
