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
)

// Bounds of what is read of a file, which belongs to a tenant. A libruby has 1 MB of relocations, and 0.5 MB of .eh_frame.
const (
	maxRelocationBytes = 64 << 20
	maxFrameBytes      = 64 << 20
)

// fewestInstructions is less than any Ruby has (2.5 has some 200), and more than the other table of labels in a libruby has,
// that of the regular expressions' interpreter (98).
const fewestInstructions = 150

// Loop returns the addresses of the function that interprets Ruby's instructions: vm_exec_core, or rb_vm_exec where the compiler
// made one function of the two.
//
// It has a table with the address of the code for each instruction (vm_exec.c and insns_address_table of vm_exec_core). The
// library is loaded anywhere, so each of its words is relocated: it is a run of relocations into one function, longer
// than any other.
func Loop(file *elf.File) (start, end uint64, err error) {
	functions, err := functionsOf(file)
	if err != nil {
		return 0, 0, err
	}
	words, err := relocatedWords(file)
	if err != nil {
		return 0, 0, err
	}
	var best, second, run int
	var found, current function
	finish := func() {
		switch {
		case run > best:
			if current != found {
				second = best
			}
			best, found = run, current
		case run > second && current != found:
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
		return 0, 0, fmt.Errorf("no table of the interpreter's labels: the longest has %d of %d, the next %d", best, need, second)
	}
	return found.start, found.end, nil
}

// instructionCount is what the file itself tells of the number of instructions, if it does: rb_vm_insn_len_info has one byte for
// each.
func instructionCount(file *elf.File) int {
	if symbol, ok := exported(file, "rb_vm_insn_len_info"); ok && symbol.Size < 4096 {
		return int(symbol.Size)
	}
	return 0
}

// function is the code of a function, by addresses of the file; or a part of one, which the compiler has laid elsewhere.
type function struct{ start, end uint64 }

func functionAt(functions []function, address uint64) (function, bool) {
	i := sort.Search(len(functions), func(i int) bool { return functions[i].end > address })
	if i < len(functions) && functions[i].start <= address {
		return functions[i], true
	}
	return function{}, false
}

// functionsOf lists the functions by the index of the unwind information, .eh_frame_hdr (Linux Standard Base 5.0, 10.6.2), in
// the order of their addresses. Only the encodings are read that linkers write.
func functionsOf(file *elf.File) ([]function, error) {
	index, indexAt, err := section(file, ".eh_frame_hdr")
	if err != nil {
		return nil, err
	}
	frames, framesAt, err := section(file, ".eh_frame")
	if err != nil {
		return nil, err
	}
	order := file.ByteOrder
	// Version 1; a count of 4 bytes; a table of 4 bytes each, relative to the section.
	if len(index) < 12 || index[0] != 1 || index[2] != 0x03 || index[3] != 0x3b {
		return nil, errors.New("the index of the unwind information is not of the usual kind")
	}
	count := min(int(order.Uint32(index[8:])), (len(index)-12)/8)
	functions := make([]function, 0, count)
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
			functions = append(functions, function{start, start + size})
		}
	}
	sort.Slice(functions, func(i, j int) bool { return functions[i].start < functions[j].start })
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
	err := relocations(file, func(r elf.Rela64) {
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
		packed, err := data(s, maxRelocationBytes)
		if err != nil {
			return nil, err
		}
		for _, at := range unpack(packed, file.ByteOrder) {
			if target, ok := wordAt(file, at); ok {
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
