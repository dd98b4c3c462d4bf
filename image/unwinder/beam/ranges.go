// Package beam finds in a stripped Erlang runtime, beam.smp, what the profiler looks up by the name of a symbol.
//
// The runtime exports nearly all of its names, because native functions are linked against them. The profiler needs one that is not
// exported: `r`, the table of where the code of Erlang's modules lies (erts/emulator/beam/beam_ranges.c), one for
// each of the code indexes.
package beam

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"

	"golang.org/x/arch/x86/x86asm"

	"gkeprof-unwinder/elfcode"
)

// users are exported functions that take the address of the table, to add an index to it. Other variables they read or write in
// place. Both must take an address, and the same one. (erts_end_staging_ranges may take that of a field of the table.)
var users = []string{"erts_start_staging_ranges", "erts_update_ranges"}

// Find returns the address of the table in a runtime that has no symbol for it.
func Find(reader io.ReaderAt) (address uint64, err error) {
	// A hostile file must not end this program.
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("not understood: %v", problem)
		}
	}()
	file, err := elf.NewFile(reader)
	if err != nil {
		return 0, err
	}
	return Ranges(file)
}

// Ranges returns the address of the table `r` within the file. Only the code of x86-64 is read.
func Ranges(file *elf.File) (address uint64, err error) {
	if file.Machine != elf.EM_X86_64 {
		return 0, fmt.Errorf("no way to read the code of %v", file.Machine)
	}
	for _, name := range users {
		user, ok := elfcode.Exported(file, name)
		if !ok {
			return 0, fmt.Errorf("%s is not exported", name)
		}
		taken := takenAddresses(file, user)
		if len(taken) == 0 {
			return 0, fmt.Errorf("%s takes no address", name)
		}
		for _, each := range taken {
			if address != 0 && each != address {
				return 0, fmt.Errorf("%s takes the address %#x, and another is %#x", name, each, address)
			}
			address = each
		}
	}
	return address, nil
}

// takenAddresses lists the addresses that the beginning of a function takes by `lea`, relative to the instruction.
func takenAddresses(file *elf.File, function elf.Symbol) (taken []uint64) {
	code := elfcode.CodeAt(file, function.Value)
	if uint64(len(code)) > function.Size {
		code = code[:function.Size]
	}
	for at := 0; at < len(code); {
		instruction, length := elfcode.DecodeX86(code[at:])
		at += length
		if instruction.Op != x86asm.LEA {
			continue
		}
		if memory, ok := instruction.Args[1].(x86asm.Mem); ok && memory.Base == x86asm.RIP && memory.Index == 0 {
			taken = append(taken, function.Value+uint64(at)+uint64(memory.Disp))
		}
	}
	return taken
}

// The releases of Erlang/OTP whose structures the profiler knows (interpreter/beam/beam.go).
const oldest, tooNew = 27, 29

// read are the variables that the profiler reads by their names.
var read = []string{
	"beam_normal_exit", "erts_atom_table", "etp_erts_version", "etp_header_subtag_mask", "etp_heap_bits_subtag", "etp_ptr_mask",
	"the_active_code_index",
}

// Named returns why the functions of the programs that this runtime runs get no names, and nil if they do.
func Named(file *elf.File) error {
	symbols := named(file)
	release, ok := symbols["etp_otp_release"]
	if !ok {
		return errors.New("no Erlang: it has no etp_otp_release")
	}
	text := make([]byte, 2)
	var number int
	if !elfcode.Load(file, release.Value, text) {
		return errors.New("etp_otp_release cannot be read")
	}
	if n, _ := fmt.Sscanf(string(text), "%2d", &number); n != 1 || number < oldest || number >= tooNew {
		return fmt.Errorf("the profiler does not know Erlang/OTP %q", text)
	}
	for _, name := range read {
		if _, ok := symbols[name]; !ok {
			return fmt.Errorf("it has no %s, which a runtime without the JIT compiler does not have", name)
		}
	}
	if _, ok := symbols["r"]; ok {
		return nil
	}
	_, err := Ranges(file)
	return err
}

// named lists the symbols of the file, those that it does not export too, if it has them.
func named(file *elf.File) map[string]elf.Symbol {
	all := map[string]elf.Symbol{}
	for _, list := range []func() ([]elf.Symbol, error){file.Symbols, func() ([]elf.Symbol, error) { return elfcode.DynamicSymbols(file) }} {
		symbols, _ := list()
		for _, symbol := range symbols {
			if symbol.Section != elf.SHN_UNDEF {
				all[symbol.Name] = symbol
			}
		}
	}
	return all
}
