// Package elfcode reads what a file of a tenant has to have to run: its tables, and the code of its functions. Everything is bounded,
// and a stripped file has all of it.
package elfcode

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Bounds of what is read of a file. A libruby has 1 MB of relocations, and 0.5 MB of .eh_frame.
const (
	MaxRelocationBytes = 64 << 20
	MaxFrameBytes      = 64 << 20
)

// Data reads a section that is at most so many bytes long.
func Data(s *elf.Section, most uint64) ([]byte, error) {
	if s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, fmt.Errorf("section %s has no content", s.Name)
	}
	if s.Size > most {
		return nil, fmt.Errorf("section %s has %d bytes, more than %d", s.Name, s.Size, most)
	}
	return s.Data()
}

// Section reads a section by its name, and says at which address it is loaded.
func Section(file *elf.File, name string) (content []byte, address uint64, err error) {
	s := file.Section(name)
	if s == nil {
		return nil, 0, fmt.Errorf("no section %s", name)
	}
	content, err = Data(s, MaxFrameBytes)
	return content, s.Addr, err
}

// Relocations calls visit for each relocation that has an addend, which are all of the architectures that are profiled.
func Relocations(file *elf.File, visit func(elf.Rela64)) error {
	for _, s := range file.Sections {
		if s.Type != elf.SHT_RELA {
			continue
		}
		content, err := Data(s, MaxRelocationBytes)
		if err != nil {
			return err
		}
		entries := make([]elf.Rela64, len(content)/24)
		if err := binary.Read(bytes.NewReader(content), file.ByteOrder, entries); err != nil {
			return err
		}
		for _, entry := range entries {
			visit(entry)
		}
	}
	return nil
}

// Load reads bytes by the address at which they are loaded.
func Load(file *elf.File, address uint64, into []byte) bool {
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address-p.Vaddr < p.Filesz &&
			uint64(len(into)) <= p.Filesz-(address-p.Vaddr) {
			_, err := p.ReadAt(into, int64(address-p.Vaddr))
			return err == nil
		}
	}
	return false
}

// WordAt reads eight bytes by the address at which they are loaded.
func WordAt(file *elf.File, address uint64) (uint64, bool) {
	var bytes [8]byte
	ok := Load(file, address, bytes[:])
	return file.ByteOrder.Uint64(bytes[:]), ok
}

// Exported finds a symbol of the dynamic table.
func Exported(file *elf.File, name string) (elf.Symbol, bool) {
	symbols, err := DynamicSymbols(file)
	if err != nil {
		return elf.Symbol{}, false
	}
	for _, symbol := range symbols {
		if symbol.Name == name && symbol.Section != elf.SHN_UNDEF {
			return symbol, true
		}
	}
	return elf.Symbol{}, false
}

// The largest table of symbols that is read. That of a libruby has 50 kB.
const maxSymbolBytes = 32 << 20

// DynamicSymbols lists the names that the file exports or imports.
func DynamicSymbols(file *elf.File) ([]elf.Symbol, error) {
	if s := file.SectionByType(elf.SHT_DYNSYM); s != nil && s.Size > maxSymbolBytes {
		return nil, fmt.Errorf("the table of symbols has %d bytes, more than %d", s.Size, maxSymbolBytes)
	}
	return file.DynamicSymbols()
}
