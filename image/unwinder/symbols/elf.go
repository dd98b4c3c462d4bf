package symbols

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// The limits of what is read of one file. A tenant made the file, so nothing in it is believed before it is checked.
// They are far above what real programs have: Node.js, a program of 150 MB, has 200,000 symbols and 20 MB of names.
const (
	maxSections   = 1 << 16
	maxSegments   = 1 << 10
	maxSymbols    = 2 << 20   // entries of all symbol tables of one file
	maxNameBytes  = 128 << 20 // bytes of one string table
	maxNoteBytes  = 1 << 20
	maxSymbolName = 32 << 10 // bytes of one name
	maxRelocs     = 1 << 20
	readChunk     = 1 << 20
)

const (
	elfExec    = 2
	elfDyn     = 3
	machineX86 = 62
	machineARM = 183

	segmentLoad    = 1
	segmentDynamic = 2
	segmentNote    = 4
	executable     = 1 // flag of a segment

	sectionSymtab = 2
	sectionRela   = 4
	sectionNote   = 7
	sectionNobits = 8
	sectionDynsym = 11
	compressed    = 0x800 // flag of a section
)

var errNotELF = errors.New("not an ELF file of a little-endian machine")

type segment struct {
	kind, flags              uint32
	offset, addr, size, span uint64 // size in the file, span in memory
}

type section struct {
	name           string
	nameAt         uint32
	kind           uint32
	flags          uint64
	addr, offset   uint64
	size, itemSize uint64
	link, info     uint32
}

// object is an ELF file whose headers were read.
type object struct {
	r        io.ReaderAt
	size     int64
	wide     bool // 64 bits
	machine  uint16
	segments []segment
	sections []section
}

func readObject(r io.ReaderAt, size int64) (*object, error) {
	o := &object{r: r, size: size}
	head, err := o.read(0, 16, 16)
	if err != nil || !bytes.Equal(head[:4], []byte("\x7fELF")) || head[5] != 1 || head[4] < 1 || head[4] > 2 {
		return nil, errNotELF
	}
	o.wide = head[4] == 2
	length := uint64(52)
	if o.wide {
		length = 64
	}
	if head, err = o.read(0, length, 64); err != nil {
		return nil, errNotELF
	}
	kind := binary.LittleEndian.Uint16(head[16:])
	if kind != elfExec && kind != elfDyn {
		return nil, fmt.Errorf("an ELF file of type %d is no program and no library", kind)
	}
	o.machine = binary.LittleEndian.Uint16(head[18:])
	var segmentsAt, sectionsAt uint64
	var counts []byte // sizes and numbers of the headers
	if o.wide {
		segmentsAt, sectionsAt, counts = u64(head[32:]), u64(head[40:]), head[54:]
	} else {
		segmentsAt, sectionsAt, counts = uint64(u32(head[28:])), uint64(u32(head[32:])), head[42:]
	}
	numbers := make([]uint64, 5)
	for at := range numbers {
		numbers[at] = uint64(binary.LittleEndian.Uint16(counts[2*at:]))
	}
	if err := o.readSegments(segmentsAt, numbers[0], numbers[1]); err != nil {
		return nil, err
	}
	// A file without section headers, or with damaged ones, still has its segments.
	if o.readSections(sectionsAt, numbers[2], numbers[3], numbers[4]) != nil {
		o.sections = nil
	}
	return o, nil
}

func (o *object) readSegments(at, itemSize, count uint64) error {
	least := uint64(32)
	if o.wide {
		least = 56
	}
	if count == 0 {
		return nil
	}
	if itemSize < least || count > maxSegments {
		return errors.New("the program headers are damaged")
	}
	data, err := o.read(at, itemSize*count, maxSegments<<16)
	if err != nil {
		return err
	}
	for ; len(data) >= int(itemSize); data = data[itemSize:] {
		s := segment{kind: u32(data)}
		if o.wide {
			s.flags = u32(data[4:])
			s.offset, s.addr, s.size, s.span = u64(data[8:]), u64(data[16:]), u64(data[32:]), u64(data[40:])
		} else {
			s.flags = u32(data[24:])
			s.offset, s.addr = uint64(u32(data[4:])), uint64(u32(data[8:]))
			s.size, s.span = uint64(u32(data[16:])), uint64(u32(data[20:]))
		}
		if s.addr+s.span >= s.addr && s.offset+s.size >= s.offset {
			o.segments = append(o.segments, s)
		}
	}
	return nil
}

func (o *object) readSections(at, itemSize, count, namesIn uint64) error {
	least := uint64(40)
	if o.wide {
		least = 64
	}
	if at == 0 || itemSize < least || itemSize > 256 {
		return errors.New("no section headers")
	}
	first, err := o.read(at, itemSize, 256)
	if err != nil {
		return err
	}
	// The first header has the numbers that do not fit in 16 bits.
	if count == 0 {
		count = o.section(first).size
	}
	if namesIn == 0xffff {
		namesIn = uint64(o.section(first).link)
	}
	if count > maxSections || namesIn >= count {
		return errors.New("the section headers are damaged")
	}
	data, err := o.read(at, itemSize*count, maxSections<<8)
	if err != nil {
		return err
	}
	for ; len(data) >= int(itemSize); data = data[itemSize:] {
		o.sections = append(o.sections, o.section(data))
	}
	names, err := o.contents(&o.sections[namesIn], maxNoteBytes*16)
	if err != nil {
		return err
	}
	for at := range o.sections {
		o.sections[at].name = string(text(names, uint64(o.sections[at].nameAt), 256))
	}
	return nil
}

func (o *object) section(data []byte) section {
	if o.wide {
		return section{
			nameAt: u32(data), kind: u32(data[4:]), flags: u64(data[8:]), addr: u64(data[16:]), offset: u64(data[24:]),
			size: u64(data[32:]), link: u32(data[40:]), info: u32(data[44:]), itemSize: u64(data[56:]),
		}
	}
	return section{
		nameAt: u32(data), kind: u32(data[4:]), flags: uint64(u32(data[8:])), addr: uint64(u32(data[12:])),
		offset: uint64(u32(data[16:])), size: uint64(u32(data[20:])), link: u32(data[24:]), info: u32(data[28:]),
		itemSize: uint64(u32(data[36:])),
	}
}

func (o *object) named(name string) *section {
	for at := range o.sections {
		if o.sections[at].name == name {
			return &o.sections[at]
		}
	}
	return nil
}

// contents returns the bytes of a section. Sections that are compressed are refused: nothing that is needed here ever is.
func (o *object) contents(s *section, most uint64) ([]byte, error) {
	if s.kind == sectionNobits || s.flags&compressed != 0 {
		return nil, fmt.Errorf("section %q has no plain contents", s.name)
	}
	return o.read(s.offset, s.size, most)
}

// read returns bytes of the file. Memory is taken only for bytes that the file can have.
func (o *object) read(offset, length, most uint64) ([]byte, error) {
	if length > most {
		return nil, fmt.Errorf("%d bytes are more than the %d that are read", length, most)
	}
	if offset > uint64(o.size) || length > uint64(o.size)-offset {
		return nil, io.ErrUnexpectedEOF
	}
	data := make([]byte, length)
	if _, err := o.r.ReadAt(data, int64(offset)); err != nil && !(errors.Is(err, io.EOF) && length == 0) {
		return nil, err
	}
	return data, nil
}

// offsetOf returns where the byte of an address is in the file.
func (o *object) offsetOf(addr uint64) (uint64, bool) {
	for _, s := range o.segments {
		if s.kind == segmentLoad && addr >= s.addr && addr-s.addr < s.size {
			return addr - s.addr + s.offset, true
		}
	}
	return 0, false
}

// runs reports whether there is code at the address.
func (o *object) runs(addr uint64) bool {
	for _, s := range o.segments {
		if s.kind == segmentLoad && s.flags&executable != 0 && addr >= s.addr && addr-s.addr < s.span {
			return true
		}
	}
	return false
}

// codeEnd returns the end of the code that has the address in it.
func (o *object) codeEnd(addr uint64) uint64 {
	for _, s := range o.sections {
		if s.flags&4 != 0 && addr >= s.addr && addr-s.addr < s.size {
			return s.addr + s.size
		}
	}
	for _, s := range o.segments {
		if s.kind == segmentLoad && s.flags&executable != 0 && addr >= s.addr && addr-s.addr < s.span {
			return s.addr + s.span
		}
	}
	return addr
}

// pointer returns the size of an address in bytes.
func (o *object) pointer() uint64 {
	if o.wide {
		return 8
	}
	return 4
}

func (o *object) word(data []byte) uint64 {
	if o.wide {
		return u64(data)
	}
	return uint64(u32(data))
}

// buildID returns the GNU build ID in hexadecimal digits, or nothing.
func (o *object) buildID() string {
	for at := range o.sections {
		if o.sections[at].kind == sectionNote {
			if data, err := o.contents(&o.sections[at], maxNoteBytes); err == nil {
				if id := buildIDOf(data); id != "" {
					return id
				}
			}
		}
	}
	for _, s := range o.segments {
		if s.kind == segmentNote {
			if data, err := o.read(s.offset, s.size, maxNoteBytes); err == nil {
				if id := buildIDOf(data); id != "" {
					return id
				}
			}
		}
	}
	return ""
}

func buildIDOf(notes []byte) string {
	for len(notes) >= 12 {
		name, desc, kind := uint64(u32(notes)), uint64(u32(notes[4:])), u32(notes[8:])
		from := 12 + (name+3)&^3
		if from > uint64(len(notes)) || desc > uint64(len(notes))-from {
			return ""
		}
		if kind == 3 && name == 4 && string(notes[12:16]) == "GNU\x00" && desc >= 2 && desc <= 64 {
			return hex.EncodeToString(notes[from : from+desc])
		}
		next := from + (desc+3)&^3
		if next > uint64(len(notes)) {
			return ""
		}
		notes = notes[next:]
	}
	return ""
}

// text returns the bytes up to the next NUL.
func text(data []byte, at uint64, most int) []byte {
	if at >= uint64(len(data)) {
		return nil
	}
	data = data[at:]
	if len(data) > most {
		data = data[:most]
	}
	if end := bytes.IndexByte(data, 0); end >= 0 {
		data = data[:end]
	}
	return data
}

func u32(data []byte) uint32 { return binary.LittleEndian.Uint32(data) }
func u64(data []byte) uint64 { return binary.LittleEndian.Uint64(data) }
