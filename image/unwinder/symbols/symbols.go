// Package symbols names the functions of programs and libraries: from their symbol tables, separate debug files,
// mini-debuginfo, and what Go programs keep for their own tracebacks. The files are made by tenants: nothing in them is
// believed, every size is bounded, and a damaged file gives an error or fewer names, never a panic.
package symbols

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	typeNone  = 0
	typeFunc  = 2
	typeIfunc = 10

	bindGlobal = 1
	bindWeak   = 2
)

// function is one row of the table. Its name is in the table's names.
type function struct {
	start, end uint64
	name       uint32
	length     uint16
	kind, bind uint8
}

// Table has the functions of one file, by address.
type Table struct {
	object    *object
	buildID   string
	names     []byte
	functions []function
	golang    *goTable
	sources   []string
}

// Finder finds the separate debug files of a file. It may be nil.
type Finder interface {
	// Find opens files that may be the wanted one. Each is closed by the caller before the next one is asked for.
	Find(wanted Wanted, try func(file io.ReaderAt, size int64) (done bool))
}

// Wanted is what a file says about its separate debug file.
type Wanted struct {
	BuildID string // hexadecimal digits, or nothing
	Link    string // the name in .gnu_debuglink, without any folder, or nothing
}

// Open reads the functions of an ELF file. It fails only if the file is no ELF file or has no code; a file without any
// symbols gives an empty table. The reader is not used after it returns.
func Open(r io.ReaderAt, size int64, debug Finder) (table *Table, err error) {
	// The readers below check what they read. A mistake in them must cost one file its names, not the whole recording.
	defer func() {
		if problem := recover(); problem != nil {
			table, err = nil, fmt.Errorf("damaged ELF file: %v", problem)
		}
	}()
	o, err := readObject(r, size)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(o.segments, func(s segment) bool { return s.kind == segmentLoad && s.flags&executable != 0 }) {
		return nil, errors.New("the ELF file has no code")
	}
	t := &Table{object: o, buildID: o.buildID()}
	whole := t.add(o, sectionSymtab, true, ".symtab")
	if !whole && debug != nil {
		whole = t.addDebugFile(debug)
	}
	if !whole {
		whole = t.addMiniDebugInfo()
	}
	// A symbol of .dynsym without a size would take in all functions that are not exported.
	t.add(o, sectionDynsym, whole, ".dynsym")
	t.addPLT()
	t.settle()
	if !slices.Contains(t.sources, ".symtab") {
		if t.golang = readGo(o); t.golang != nil {
			t.sources = append(t.sources, ".gopclntab")
		}
	}
	o.r = nil
	return t, nil
}

// BuildID returns the GNU build ID in hexadecimal digits, or nothing.
func (t *Table) BuildID() string { return t.buildID }

// Sources names what the functions were read from, for example .symtab or .gopclntab.
func (t *Table) Sources() []string { return t.sources }

// Bytes is roughly the memory that the table takes.
func (t *Table) Bytes() int64 {
	bytes := int64(len(t.names)) + 24*int64(len(t.functions)) + 4096
	if t.golang != nil {
		bytes += t.golang.bytes()
	}
	return bytes
}

// ByAddress returns the function at an address of the ELF file (not of a process), and where it starts.
func (t *Table) ByAddress(addr uint64) (name string, start uint64, ok bool) {
	at, found := slices.BinarySearchFunc(t.functions, addr, func(f function, addr uint64) int {
		if f.start < addr {
			return -1
		}
		if f.start > addr {
			return 1
		}
		return 0
	})
	if !found {
		at--
	}
	// A function may have another one within it: the innermost one counts.
	for tries := 0; at >= 0 && tries < 16; at, tries = at-1, tries+1 {
		if f := t.functions[at]; addr < f.end {
			return printable(t.names[f.name : f.name+uint32(f.length)]), f.start, true
		}
	}
	if t.golang != nil {
		if name, start, ok := t.golang.lookup(addr); ok {
			return printable(name), start, true
		}
	}
	return "", 0, false
}

// ByOffset returns the function at an offset in the file, and the address where it starts.
func (t *Table) ByOffset(offset uint64) (name string, start uint64, ok bool) {
	addr, ok := t.Address(offset)
	if !ok {
		return "", 0, false
	}
	return t.ByAddress(addr)
}

// Address returns the address of the byte at an offset in the file. Pages are mapped whole, so two segments may share
// one; the code is meant.
func (t *Table) Address(offset uint64) (addr uint64, ok bool) {
	for _, s := range t.object.segments {
		if s.kind != segmentLoad || offset < s.offset || offset-s.offset >= s.size {
			continue
		}
		if s.flags&executable != 0 {
			return offset - s.offset + s.addr, true
		}
		if !ok {
			addr, ok = offset-s.offset+s.addr, true
		}
	}
	return addr, ok
}

// add reads a symbol table of a file with the same addresses as this one. It reports whether there was a function in it.
func (t *Table) add(from *object, kind uint32, unsized bool, source string) bool {
	before := len(t.functions)
	for at := range from.sections {
		s := &from.sections[at]
		if s.kind == kind && uint64(s.link) < uint64(len(from.sections)) {
			t.addSymbols(from, s, &from.sections[s.link], unsized)
		}
	}
	if len(t.functions) == before {
		return false
	}
	t.sources = append(t.sources, source)
	return true
}

func (t *Table) addSymbols(from *object, symbols, strings *section, unsized bool) {
	names, err := from.contents(strings, maxNameBytes)
	if err != nil || len(t.names)+len(names) > maxNameBytes {
		return
	}
	base := uint32(len(t.names))
	added := false
	from.eachSymbol(symbols, func(s symbol) bool {
		f := function{start: s.addr, end: s.addr + s.size, kind: s.info & 15, bind: s.info >> 4}
		isFunction := f.kind == typeFunc || f.kind == typeIfunc
		isLabel := f.kind == typeNone && s.other&3 != 1 && s.other&3 != 2 // neither hidden nor internal
		if !isFunction && !isLabel || s.section == 0 || s.section == 0xfff1 || f.end < f.start || f.start == f.end && !unsized {
			return true
		}
		name := text(names, uint64(s.name), maxSymbolName)
		if len(name) == 0 || !t.object.runs(f.start) || isMappingSymbol(t.object.machine, name) {
			return true
		}
		f.name, f.length = base+s.name, uint16(len(name))
		t.functions = append(t.functions, f)
		added = true
		return len(t.functions) < maxSymbols
	})
	if added {
		t.names = append(t.names, names...)
	}
}

// Those of the assembler for ARM say what kind of bytes follow.
func isMappingSymbol(machine uint16, name []byte) bool {
	return machine == machineARM && name[0] == '$' && len(name) > 1 &&
		strings.IndexByte("adtx", name[1]) >= 0 && (len(name) == 2 || name[2] == '.')
}

type symbol struct {
	name        uint32
	info, other uint8
	section     uint16
	addr, size  uint64
}

// eachSymbol calls back for the symbols of a table, until that says no.
func (o *object) eachSymbol(table *section, call func(symbol) bool) {
	length := uint64(16)
	if o.wide {
		length = 24
	}
	if table.kind == sectionNobits || table.flags&compressed != 0 {
		return
	}
	count := min(table.size/length, maxSymbols)
	for at := uint64(0); at < count; {
		items := min(readChunk/length, count-at)
		data, err := o.read(table.offset+at*length, items*length, readChunk)
		if err != nil {
			return
		}
		for ; len(data) > 0; data = data[length:] {
			s := symbol{name: u32(data)}
			if o.wide {
				s.info, s.other, s.section = data[4], data[5], uint16(data[6])|uint16(data[7])<<8
				s.addr, s.size = u64(data[8:]), u64(data[16:])
			} else {
				s.addr, s.size = uint64(u32(data[4:])), uint64(u32(data[8:]))
				s.info, s.other, s.section = data[12], data[13], uint16(data[14])|uint16(data[15])<<8
			}
			if !call(s) {
				return
			}
		}
		at += items
	}
}

// settle sorts the functions, chooses one name for each address, and gives an end to those that have no size.
func (t *Table) settle() {
	slices.SortStableFunc(t.functions, func(a, b function) int {
		if a.start != b.start {
			if a.start < b.start {
				return -1
			}
			return 1
		}
		if t.better(a, b) {
			return -1
		}
		if t.better(b, a) {
			return 1
		}
		return 0
	})
	t.functions = slices.CompactFunc(t.functions, func(a, b function) bool { return a.start == b.start })
	// A label within a function is not a function, and does not cut the other one.
	kept := t.functions[:0]
	end := uint64(0)
	for _, f := range t.functions {
		if f.kind == typeNone && f.start < end {
			continue
		}
		if f.kind != typeNone {
			end = max(end, f.end)
		}
		kept = append(kept, f)
	}
	t.functions = slices.Clip(kept)
	for at := range t.functions {
		f := &t.functions[at]
		if f.end != f.start {
			continue
		}
		f.end = t.object.codeEnd(f.start)
		if at+1 < len(t.functions) {
			f.end = min(f.end, t.functions[at+1].start)
		}
	}
}

// better chooses between two names of one address as perf does, so that a function has the same name everywhere (Linux
// tools/perf/util/symbol.c, choose_best_symbol).
func (t *Table) better(a, b function) bool {
	if sized := a.end > a.start; sized != (b.end > b.start) {
		return sized
	}
	if typed := a.kind != typeNone; typed != (b.kind != typeNone) {
		return typed
	}
	if strong := a.bind != bindWeak; strong != (b.bind != bindWeak) {
		return strong
	}
	if global := a.bind == bindGlobal; global != (b.bind == bindGlobal) {
		return global
	}
	if x, y := t.underscores(a), t.underscores(b); x != y {
		return x < y
	}
	return a.length > b.length
}

func (t *Table) underscores(f function) int {
	count := 0
	for _, c := range t.names[f.name : f.name+uint32(f.length)] {
		if c != '_' {
			break
		}
		count++
	}
	return count
}

// printable returns a name in which nothing is left that would be taken for the end of a line.
func printable(name []byte) string {
	for _, c := range name {
		if c < ' ' || c == 0x7f {
			return strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f {
					return '?'
				}
				return r
			}, string(name))
		}
	}
	return string(name)
}

// BuildID reads the GNU build ID of an ELF file and nothing else: hexadecimal digits, or nothing if there is none.
func BuildID(r io.ReaderAt, size int64) (id string) {
	defer func() {
		if recover() != nil {
			id = ""
		}
	}()
	o, err := readObject(r, size)
	if err != nil {
		return ""
	}
	return o.buildID()
}
