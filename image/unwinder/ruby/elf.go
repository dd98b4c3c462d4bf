package ruby

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// data reads a section that is at most so many bytes long.
func data(s *elf.Section, most uint64) ([]byte, error) {
	if s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, fmt.Errorf("section %s has no content", s.Name)
	}
	if s.Size > most {
		return nil, fmt.Errorf("section %s has %d bytes, more than %d", s.Name, s.Size, most)
	}
	return s.Data()
}

func section(file *elf.File, name string) (content []byte, address uint64, err error) {
	s := file.Section(name)
	if s == nil {
		return nil, 0, fmt.Errorf("no section %s", name)
	}
	content, err = data(s, maxFrameBytes)
	return content, s.Addr, err
}

// relocations calls visit for each relocation that has an addend, which are all of the architectures that are profiled.
func relocations(file *elf.File, visit func(elf.Rela64)) error {
	for _, s := range file.Sections {
		if s.Type != elf.SHT_RELA {
			continue
		}
		content, err := data(s, maxRelocationBytes)
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

// load reads bytes by the address at which they are loaded.
func load(file *elf.File, address uint64, into []byte) bool {
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address-p.Vaddr < p.Filesz &&
			uint64(len(into)) <= p.Filesz-(address-p.Vaddr) {
			_, err := p.ReadAt(into, int64(address-p.Vaddr))
			return err == nil
		}
	}
	return false
}

func wordAt(file *elf.File, address uint64) (uint64, bool) {
	var bytes [8]byte
	ok := load(file, address, bytes[:])
	return file.ByteOrder.Uint64(bytes[:]), ok
}

// exported finds a symbol of the dynamic table.
func exported(file *elf.File, name string) (elf.Symbol, bool) {
	symbols, err := dynamicSymbols(file)
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

func dynamicSymbols(file *elf.File) ([]elf.Symbol, error) {
	if s := file.SectionByType(elf.SHT_DYNSYM); s != nil && s.Size > maxSymbolBytes {
		return nil, fmt.Errorf("the table of symbols has %d bytes, more than %d", s.Size, maxSymbolBytes)
	}
	return file.DynamicSymbols()
}
