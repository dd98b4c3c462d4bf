package ruby

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"

	"gkeprof-unwinder/elfcode"
)

// The versions whose structures the profiler knows: from 2.5 on, and below 4.1 (interpreter/ruby/ruby.go).
var oldest, tooNew = [2]int{2, 5}, [2]int{4, 1}

// Named returns why the functions of the programs that this file interprets get no names, and nil if they do. The file is a
// libruby, or a ruby that is linked statically.
func Named(file *elf.File) error {
	version, err := versionOf(file)
	if err != nil {
		return err
	}
	if before(version, oldest) || !before(version, tooNew) {
		return fmt.Errorf("the profiler does not know Ruby %d.%d", version[0], version[1])
	}
	// Ruby 2.5 is the last whose loop goes by another name.
	loop := "rb_vm_exec"
	if version == oldest {
		loop = "ruby_exec_node"
	}
	if !hasSymbol(file, loop) {
		if _, _, err := Loop(file); err != nil {
			return err
		}
	}
	context := "ruby_current_ec"
	if before(version, [2]int{3, 0}) {
		context = "ruby_current_execution_context_ptr"
	}
	if hasSymbol(file, context) {
		return nil
	}
	if before(version, [2]int{3, 0}) {
		return fmt.Errorf("no symbol %s", context)
	}
	_, err = CurrentContext(file)
	return err
}

func before(a, b [2]int) bool {
	return a[0] < b[0] || a[0] == b[0] && a[1] < b[1]
}

func versionOf(file *elf.File) (version [2]int, err error) {
	symbol, ok := elfcode.Exported(file, "ruby_version")
	if !ok {
		return version, errors.New("no Ruby: ruby_version is not exported")
	}
	text := make([]byte, min(symbol.Size, 16))
	if !elfcode.Load(file, symbol.Value, text) {
		return version, errors.New("ruby_version cannot be read")
	}
	if n, err := fmt.Fscanf(bytes.NewReader(text), "%d.%d.", &version[0], &version[1]); n != 2 {
		return version, fmt.Errorf("ruby_version is %q: %w", text, err)
	}
	return version, nil
}

func hasSymbol(file *elf.File, name string) bool {
	if _, ok := elfcode.Exported(file, name); ok {
		return true
	}
	symbols, err := file.Symbols()
	if err != nil {
		return false
	}
	for _, symbol := range symbols {
		if symbol.Name == name && symbol.Section != elf.SHN_UNDEF {
			return true
		}
	}
	return false
}
