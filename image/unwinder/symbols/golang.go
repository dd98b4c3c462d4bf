package symbols

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

const (
	maxGoTable     = 128 << 20
	maxGoSearch    = 512 << 20
	maxGoFunctions = 2 << 20
)

// The versions of the table that a Go program has for its tracebacks (Go, src/internal/abi/symtab.go).
const (
	goMagic12  = 0xfffffffb
	goMagic116 = 0xfffffffa
	goMagic118 = 0xfffffff0
	goMagic120 = 0xfffffff1
)

type goFunction struct {
	start uint64
	name  uint32 // offset in names
}

// goTable has the functions of a Go program. The last one is the end of the code and has no name.
type goTable struct {
	names     []byte
	functions []goFunction
}

func (g *goTable) bytes() int64 { return int64(len(g.names)) + 16*int64(len(g.functions)) }

func (g *goTable) lookup(addr uint64) (name []byte, start uint64, ok bool) {
	at, found := slices.BinarySearchFunc(g.functions, addr, func(f goFunction, addr uint64) int { return cmp.Compare(f.start, addr) })
	if !found {
		at--
	}
	if at < 0 || at >= len(g.functions)-1 {
		return nil, 0, false
	}
	name = text(g.names, uint64(g.functions[at].name), maxSymbolName)
	return name, g.functions[at].start, len(name) > 0
}

// readGo reads the table of a Go program, which is there even if it was linked with -s -w. It returns nil if there is none.
func readGo(o *object) *goTable {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		if s := o.named(name); s != nil && s.kind != sectionNobits {
			if g := o.goTableAt(s.offset, s.addr, s.size); g != nil {
				return g
			}
		}
	}
	// The linker of C merges the section into another one. Without section headers nothing tells whether it is a Go program.
	if len(o.sections) > 0 && o.named(".go.buildinfo") == nil && o.named(".note.go.buildid") == nil {
		return nil
	}
	return o.searchGo()
}

// searchGo looks for the table in everything that is loaded. It is aligned to 8 bytes at least, since Go 1.2.
func (o *object) searchGo() *goTable {
	searched := uint64(0)
	for _, s := range o.segments {
		if s.kind != segmentLoad {
			continue
		}
		for at := uint64(0); at < s.size && searched < maxGoSearch; at += readChunk {
			// A header that begins in this piece may end in the next one.
			data, err := o.read(s.offset+at, min(readChunk+8, s.size-at), readChunk+8)
			if err != nil {
				break
			}
			searched += uint64(len(data))
			for from := 0; ; {
				found := bytes.Index(data[from:], []byte{0xff, 0xff, 0xff, 0, 0})
				if found < 0 {
					break
				}
				start := from + found - 1
				from += found + 1
				if start < 0 || start >= readChunk || start+8 > len(data) || !isGoHeader(data[start:]) {
					continue
				}
				offset := at + uint64(start)
				if g := o.goTableAt(s.offset+offset, s.addr+offset, s.size-offset); g != nil {
					return g
				}
			}
		}
	}
	return nil
}

func isGoHeader(data []byte) bool {
	switch u32(data) {
	case goMagic12, goMagic116, goMagic118, goMagic120:
	default:
		return false
	}
	quantum, pointer := data[6], data[7]
	return data[4] == 0 && data[5] == 0 && (quantum == 1 || quantum == 2 || quantum == 4) && (pointer == 4 || pointer == 8)
}

// goTableAt reads the table at an offset in the file, which is at addr in memory. It returns nil if it is none.
func (o *object) goTableAt(offset, addr, most uint64) *goTable {
	head, err := o.read(offset, 8+8*8, 8+8*8)
	if err != nil || !isGoHeader(head) || uint64(head[7]) != o.pointer() {
		return nil
	}
	pointer := o.pointer()
	field := func(at uint64) uint64 { return o.word(head[8+at*pointer:]) }
	count := field(0)
	if count == 0 || count > maxGoFunctions {
		return nil
	}
	// Where the names and the functions begin, and the size of an address in the list of functions.
	var namesAt, namesEnd, listAt, base, width uint64
	magic := u32(head)
	switch magic {
	case goMagic12:
		namesAt, listAt, width = 0, 8+pointer, pointer
		namesEnd = most
	case goMagic116:
		namesAt, namesEnd, listAt, width = field(2), field(3), field(6), pointer
	default:
		namesAt, namesEnd, listAt, width = field(3), field(4), field(7), 4
	}
	if namesAt > namesEnd || listAt > most || namesEnd > most {
		return nil
	}
	list, err := o.read(offset+listAt, (2*count+1)*width, maxGoTable)
	if err != nil {
		return nil
	}
	word := func(data []byte) uint64 {
		if width == 4 {
			return uint64(u32(data))
		}
		return u64(data)
	}
	if width == 4 && (magic == goMagic118 || magic == goMagic120) {
		if base = o.goTextStart(addr, field(2), uint64(u32(list)), uint64(u32(list[2*count*4:]))); base == 0 {
			return nil
		}
	}
	// The records of the functions are behind the list. Only their names are wanted, which are the same four bytes in each.
	last := uint64(0)
	for at := uint64(0); at < count; at++ {
		last = max(last, word(list[(2*at+1)*width:]))
	}
	if last > maxGoTable {
		return nil
	}
	records, err := o.read(offset+o.goRecords(magic, listAt), last+width+4, maxGoTable)
	if err != nil {
		return nil
	}
	g := &goTable{functions: make([]goFunction, 0, count+1)}
	highest := uint64(0)
	previous := uint64(0)
	for at := uint64(0); at <= count; at++ {
		start := base + word(list[2*at*width:])
		// In a PIE made by the linker of C the older lists are zero until the program is loaded.
		if start < previous || at == 0 && !o.runs(start) {
			return nil
		}
		previous = start
		f := goFunction{start: start}
		if at < count {
			f.name = u32(records[word(list[(2*at+1)*width:])+width:])
			highest = max(highest, uint64(f.name))
		}
		g.functions = append(g.functions, f)
	}
	if magic == goMagic12 {
		// The names are among the records, so the last one ends somewhere behind its beginning.
		namesEnd = min(highest+maxSymbolName, most)
	}
	if highest >= namesEnd-namesAt {
		return nil
	}
	if g.names, err = o.read(offset+namesAt, namesEnd-namesAt, maxGoTable); err != nil {
		return nil
	}
	return g
}

// goRecords returns from where the offsets of the records count, relative to the table.
func (o *object) goRecords(magic uint32, listAt uint64) uint64 {
	if magic == goMagic12 {
		return 0
	}
	return listAt
}

// goTextStart returns the address from which the functions of a table count, or 0. Since Go 1.26 it is no longer in the
// table, and in a PIE it may be in a relocation.
func (o *object) goTextStart(table, inHeader, first, end uint64) uint64 {
	fits := func(base uint64) bool { return base != 0 && o.runs(base+first) && o.runs(base+end-1) }
	if fits(inHeader) {
		return inHeader
	}
	pointer := o.pointer()
	relocations := o.relativeRelocations()
	if base, ok := relocations.at(table + 8 + 2*pointer); ok && fits(base) {
		return base
	}
	// A file that was made to be slow has many places that look right.
	tries := 0
	// The module's own description begins with the address of the table. minpc, maxpc and text are its words 20 to 22.
	check := func(at uint64) uint64 {
		if tries++; tries > 64 {
			return 0
		}
		words := map[uint64]uint64{}
		for _, n := range []uint64{0, 20, 21, 22} {
			var ok bool
			if words[n], ok = relocations.at(at + n*pointer); ok {
				continue
			}
			offset, ok := o.offsetOf(at + n*pointer)
			if !ok {
				return 0
			}
			data, err := o.read(offset, pointer, pointer)
			if err != nil {
				return 0
			}
			words[n] = o.word(data)
		}
		if words[0] == table && fits(words[22]) && words[20] == words[22]+first && words[21] == words[22]+end {
			return words[22]
		}
		return 0
	}
	if s := o.named(".go.module"); s != nil {
		if base := check(s.addr); base != 0 {
			return base
		}
	}
	for data := relocations; len(data) >= 24 && tries <= 64; data = data[24:] {
		if u64(data[16:]) == table {
			if base := check(u64(data)); base != 0 {
				return base
			}
		}
	}
	want := make([]byte, pointer)
	if pointer == 8 {
		binary.LittleEndian.PutUint64(want, table)
	} else {
		binary.LittleEndian.PutUint32(want, uint32(table))
	}
	for _, s := range o.segments {
		if s.kind != segmentLoad || s.flags&executable != 0 || s.size > maxGoSearch {
			continue
		}
		for from := uint64(0); from < s.size; from += readChunk {
			data, err := o.read(s.offset+from, min(readChunk, s.size-from), readChunk)
			if err != nil {
				break
			}
			for at := 0; at+int(pointer) <= len(data) && tries <= 64; at += int(pointer) {
				if bytes.Equal(data[at:at+int(pointer)], want) {
					if base := check(s.addr + from + uint64(at)); base != 0 {
						return base
					}
				}
			}
		}
	}
	// Without any C code the functions begin where the code begins.
	if s := o.named(".text"); s != nil && fits(s.addr) && first == 0 && o.named(".interp") == nil {
		return s.addr
	}
	return 0
}

// relocations are the addresses that the loader writes, each with what it writes: records of 24 bytes.
type relocations []byte

// at returns what the loader writes at an address of a program that is loaded at 0.
func (r relocations) at(addr uint64) (uint64, bool) {
	for ; len(r) >= 24; r = r[24:] {
		if u64(r) == addr {
			return u64(r[16:]), true
		}
	}
	return 0, false
}

func (o *object) relativeRelocations() relocations {
	if !o.wide {
		return nil
	}
	var at, size uint64
	for _, s := range o.segments {
		if s.kind != segmentDynamic {
			continue
		}
		data, err := o.read(s.offset, s.size, maxNoteBytes)
		if err != nil {
			continue
		}
		for ; len(data) >= 16; data = data[16:] {
			switch u64(data) {
			case 7: // DT_RELA
				at = u64(data[8:])
			case 8: // DT_RELASZ
				size = u64(data[8:])
			}
		}
	}
	offset, ok := o.offsetOf(at)
	if !ok || size == 0 {
		return nil
	}
	data, err := o.read(offset, size, maxRelocs*24)
	if err != nil {
		return nil
	}
	kept := data[:0]
	for ; len(data) >= 24; data = data[24:] {
		// R_X86_64_RELATIVE, R_AARCH64_RELATIVE
		if kind := u32(data[8:]); o.machine == machineX86 && kind == 8 || o.machine == machineARM && kind == 1027 {
			kept = append(kept, data[:24]...)
		}
	}
	return relocations(kept)
}
