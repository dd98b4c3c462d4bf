package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/ebpf-profiler/libpf"
	"go.opentelemetry.io/ebpf-profiler/reporter"

	"gkeprof-unwinder/symbols"
)

// Bounds of what is kept of the sampled processes: files that wait until a sample is in them, and bytes of their functions.
const (
	openFiles  = 1024
	tableBytes = 512 << 20
)

// object is a file from which a process has mapped code.
type object struct {
	path string
	root string   // of the process, where its debug file may lie
	file *os.File // open until the first sample is in it
	size int64
	once sync.Once
	// Absent when the file has no functions, or more of them than there is room for.
	table *symbols.Table
}

// objects are the ELF files of the sampled processes. Each is opened when the profiler sees it for the first time, because
// its process may have ended, or the file may have been replaced, when the first sample in it comes.
type objects struct {
	mutex sync.Mutex
	files map[libpf.FileID]*object
	open  int
	bytes int64
}

func newObjects() *objects { return &objects{files: map[libpf.FileID]*object{}} }

// ReportExecutable is called by the profiler for each file when it sees it for the first time.
func (o *objects) ReportExecutable(about *reporter.ExecutableMetadata) {
	found := &object{
		path: strings.TrimSuffix(about.Mapping.Path, " (deleted)"),
		root: filepath.Join("/proc", strconv.Itoa(int(about.Process.PID())), "root"),
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if _, known := o.files[about.MappingFile.Value().FileID]; known {
		return
	}
	o.files[about.MappingFile.Value().FileID] = found
	if o.open >= openFiles {
		return
	}
	// The entry is the file that is mapped, whatever its path leads to now (Linux fs/proc/base.c, proc_map_files_lookup).
	mapped := fmt.Sprintf("/proc/%d/map_files/%x-%x", about.Process.PID(), about.Mapping.Vaddr, about.Mapping.Vaddr+about.Mapping.Length)
	file, size, err := symbols.OpenRegular(mapped)
	if err != nil {
		return
	}
	found.file, found.size = file, size
	o.open++
}

// lookup returns the path of a file, and the function at an address of it; an empty name where it is not known.
func (o *objects) lookup(file libpf.FrameMappingFile, address uint64) (path, name string) {
	o.mutex.Lock()
	found, known := o.files[file.Value().FileID]
	o.mutex.Unlock()
	if !known {
		return file.Value().FileName.String(), ""
	}
	found.once.Do(func() { o.read(found) })
	if found.table != nil {
		name, _, _ = found.table.ByAddress(address)
	}
	return found.path, name
}

func (o *objects) read(found *object) {
	if found.file == nil {
		return
	}
	table, err := symbols.Open(found.file, found.size, symbols.InRoot(found.root, found.path))
	found.file.Close()
	o.mutex.Lock()
	defer o.mutex.Unlock()
	found.file = nil
	o.open--
	if err != nil || o.bytes+table.Bytes() > tableBytes {
		return
	}
	o.bytes += table.Bytes()
	found.table = table
}
