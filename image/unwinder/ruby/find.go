package ruby

import (
	"debug/elf"
	"fmt"
	"io"
)

// Places are what the profiler must know of a libruby, by addresses of the file.
type Places struct {
	LoopStart, LoopEnd uint64 // the code of the function that interprets
	Context            uint64 // offset of ruby_current_ec among the thread-local variables
	Names              uint64 // ruby_global_symbols; 0 where it is not found, and methods in C get no names
}

// Find looks for them in a file without symbols. Before Ruby 3.0 the execution context is not a thread-local variable.
func Find(reader io.ReaderAt, isThreadLocal bool) (places Places, err error) {
	// A hostile file must not end this program.
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("not understood: %v", problem)
		}
	}()
	file, err := elf.NewFile(reader)
	if err != nil {
		return places, err
	}
	if places.LoopStart, places.LoopEnd, err = Loop(file); err != nil {
		return places, err
	}
	if isThreadLocal {
		if places.Context, err = CurrentContext(file); err != nil {
			return places, err
		}
	}
	places.Names, _ = Names(file)
	return places, nil
}
