package perl

import (
	"debug/elf"
	"fmt"
)

// The versions 5.x whose structures the profiler knows (interpreter/perl/data.go).
const oldest, tooNew = 28, 43

// Named returns why the subs of the programs that this file interprets get no names, and nil if they do. The file is a libperl, or
// a perl that is linked statically.
func Named(file *elf.File) error {
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return err
	}
	exported := map[string]elf.Symbol{}
	for _, symbol := range symbols {
		if symbol.Section != elf.SHN_UNDEF {
			exported[symbol.Name] = symbol
		}
	}
	// Without threads the state of the interpreter is in variables of the file.
	state := "PL_thr_key"
	if _, threaded := exported[state]; !threaded {
		state = "PL_curstackinfo"
	}
	for _, name := range []string{"PL_revision", "PL_version", "Perl_runops_standard", state} {
		if _, ok := exported[name]; !ok {
			return fmt.Errorf("no perl: %s is not exported", name)
		}
	}
	revision, version := byteAt(file, exported["PL_revision"].Value), byteAt(file, exported["PL_version"].Value)
	if revision != 5 || version < oldest || version >= tooNew {
		return fmt.Errorf("the profiler does not know Perl %d.%d", revision, version)
	}
	return nil
}

// byteAt reads a byte by the address at which it is loaded; 0 where there is none.
func byteAt(file *elf.File, address uint64) byte {
	var value [1]byte
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address-p.Vaddr < p.Filesz {
			_, _ = p.ReadAt(value[:], int64(address-p.Vaddr))
		}
	}
	return value[0]
}
