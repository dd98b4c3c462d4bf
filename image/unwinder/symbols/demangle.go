package symbols

import "github.com/ianlancetaylor/demangle"

// The longest name that is demangled: a hostile one could name itself a thousand times over.
const longestMangled = 4096

// Demangled undoes the mangling of C++ and Rust as perf does, without the arguments (Linux tools/perf/util/symbol-elf.c,
// DMGL_NO_OPTS). A name that is not mangled, or not well, stays as it is.
func Demangled(name string) string {
	if len(name) > longestMangled || len(name) < 3 || name[0] != '_' {
		return name
	}
	return demangle.Filter(name, demangle.NoParams, demangle.MaxLength(14))
}
