package main

import "fmt"

// failures are the reasons of the profiler why a stack is not walked to its end, by the code in the frame that stands for the
// rest (support/ebpf/errors.h). Codes of one kind stand together, a thousand apart.
var failures = map[uint64]string{
	2:    "more functions than are recorded",
	5:    "more functions than are recorded",
	4000: "code that is in no file",
	4012: "code that is in no file",
	4018: "code that is in no file",
	4019: "code that is in no file",
	4020: "code that is in no file",
	4001: "a file without unwind information",
	4002: "a file without unwind information",
	4004: "a function without unwind information",
	4005: "a function without unwind information",
	4015: "a function without unwind information",
	4007: "memory that could not be read",
	4016: "a program of 32 bits",
	4017: "a program of 32 bits",
}

var kinds = map[uint64]string{
	1: "Java", 2: "Python", 3: "Ruby", 4: "native code", 5: "JavaScript", 6: ".NET", 7: "BEAM", 8: "LuaJIT",
}

// failure says why a stack ends, in words; a code that is not in the table with its number.
func failure(code uint64) string {
	if known, ok := failures[code]; ok {
		return known
	}
	if kind, ok := kinds[code/1000]; ok {
		return fmt.Sprintf("%s that is not understood (%d)", kind, code)
	}
	return fmt.Sprintf("another reason (%d)", code)
}
