package main

import (
	"debug/elf"
	"sort"
	"sync"

	"go.opentelemetry.io/ebpf-profiler/libpf"
	"go.opentelemetry.io/ebpf-profiler/reporter"
)

type symbol struct {
	start, size uint64
	name        string
}

type object struct {
	path    string
	symbols []symbol
}

// objects are the ELF files of the sampled processes.
type objects struct {
	mutex sync.Mutex
	files map[libpf.FileID]*object
}

func newObjects() *objects {
	return &objects{files: map[libpf.FileID]*object{}}
}

// ReportExecutable is called for each file when the profiler sees it for the first time.
func (o *objects) ReportExecutable(about *reporter.ExecutableMetadata) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	found := &object{path: about.Mapping.Path}
	o.files[about.MappingFile.Value().FileID] = found
	file, err := about.Process.OpenMappingFile(about.Mapping)
	if err != nil {
		return
	}
	defer file.Close()
	ef, err := elf.NewFile(file)
	if err != nil {
		return
	}
	a, _ := ef.Symbols()
	b, _ := ef.DynamicSymbols()
	for _, s := range append(a, b...) {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Value != 0 {
			found.symbols = append(found.symbols, symbol{s.Value, s.Size, s.Name})
		}
	}
	sort.Slice(found.symbols, func(i, j int) bool { return found.symbols[i].start < found.symbols[j].start })
}

func (o *objects) lookup(file libpf.FrameMappingFile, address uint64) (path, name string) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	found, ok := o.files[file.Value().FileID]
	if !ok {
		return file.Value().FileName.String(), ""
	}
	at := sort.Search(len(found.symbols), func(i int) bool { return found.symbols[i].start > address }) - 1
	if at >= 0 && (found.symbols[at].size == 0 || address < found.symbols[at].start+found.symbols[at].size) {
		name = found.symbols[at].name
	}
	return found.path, name
}
