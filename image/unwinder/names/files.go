package names

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gkeprof-unwinder/symbols"
)

const (
	mostMappings   = 1 << 20
	mostTableBytes = 256 << 20 // of all tables together
	mostOthers     = 8         // other processes that are asked for a file of the same build ID
	longestMaps    = 16 << 20
)

// longestFile is how long one file may take. A file system that does not answer costs this once for each file.
const longestFile = 5 * time.Second

type identity struct {
	buildID       string
	device, inode uint64
	known         bool // the device and the inode are known
}

// Files are the files that processes have mapped, as far as perf recorded it. A file is taken only if it is the one that
// was mapped: it has the recorded build ID, or, if perf recorded none, the living process itself still has it mapped, with
// the recorded inode. So a program that was replaced, or has ended, never gets the names of another one.
type Files struct {
	proc, cache string
	left        time.Duration // for reading files
	mappings    int
	byProcess   map[int]map[string]identity
	byPath      map[string][]identity // distinct ones
	holders     map[string][]int      // processes that have mapped a build ID, the latest ones
	tables      map[string]*symbols.Table
	tableBytes  int64
	chosen      map[int]map[string]*symbols.Table // nil for those that have none
}

// NewFiles reads files of the processes in proc and of perf's cache of build ids, for as long as the time is not used up.
func NewFiles(proc, cache string, limit time.Duration) *Files {
	return &Files{
		proc: proc, cache: cache, left: limit,
		byProcess: map[int]map[string]identity{}, byPath: map[string][]identity{}, holders: map[string][]int{},
		tables: map[string]*symbols.Table{}, chosen: map[int]map[string]*symbols.Table{},
	}
}

// Mapped notes what perf recorded.
func (f *Files) Mapped(m Mapping) {
	if f.mappings++; f.mappings > mostMappings || !isFile([]byte(m.Path)) {
		return
	}
	id := identity{m.BuildID, m.Device, m.Inode, m.HasIdentity}
	path := plain(m.Path)
	paths := f.byProcess[m.PID]
	if paths == nil {
		paths = map[string]identity{}
		f.byProcess[m.PID] = paths
	}
	if before, ok := paths[path]; !ok || before != id {
		paths[path] = id
		delete(f.chosen[m.PID], path) // it has become another program
	}
	if all := f.byPath[path]; !slices.Contains(all, id) && len(all) < 64 {
		f.byPath[path] = append(all, id)
	}
	if m.BuildID != "" {
		holders := append(f.holders[m.BuildID], m.PID)
		if len(holders) > mostOthers {
			holders = holders[1:]
		}
		f.holders[m.BuildID] = holders
	}
}

// plain is the path that a file had before it was deleted.
func plain(path string) string { return strings.TrimSuffix(path, " (deleted)") }

// BuildIDs returns what is known of a path.
func (f *Files) BuildIDs(pid int, path string) []string {
	path = plain(path)
	all := f.byPath[path]
	if id, ok := f.byProcess[pid][path]; ok {
		all = []identity{id}
	}
	var ids []string
	for _, id := range all {
		if id.buildID != "" && !slices.Contains(ids, id.buildID) {
			ids = append(ids, id.buildID)
		}
	}
	return ids
}

// Name returns the function at an offset of a file.
func (f *Files) Name(pid int, path string, offset uint64) (name string, within uint64, ok bool) {
	path = plain(path)
	table, known := f.chosen[pid][path]
	if !known {
		table = f.choose(pid, path)
		if f.chosen[pid] == nil {
			if len(f.chosen) > 1<<16 {
				clear(f.chosen)
			}
			f.chosen[pid] = map[string]*symbols.Table{}
		}
		f.chosen[pid][path] = table
	}
	if table == nil {
		return "", 0, false
	}
	address, ok := table.Address(offset)
	if !ok {
		return "", 0, false
	}
	name, start, ok := table.ByAddress(address)
	// perf prints the names that it knows without their mangling.
	return symbols.Demangled(name), address - start, ok
}

// choose returns the functions of the file that a process has mapped by this path, or nil.
func (f *Files) choose(pid int, path string) *symbols.Table {
	id, ok := f.byProcess[pid][path]
	if !ok {
		// A process that was forked has what its parent had mapped. If all processes had the same file there, it is this one.
		if len(f.byPath[path]) != 1 {
			return nil
		}
		id = f.byPath[path][0]
	}
	key := id.buildID
	if key == "" {
		if !id.known {
			return nil
		}
		key = fmt.Sprintf("%x:%d %s", id.device, id.inode, path)
	}
	if table, ok := f.tables[key]; ok {
		return table
	}
	table, final := f.read(pid, path, id)
	// A file that was not found for this process may be found for another one.
	if table == nil && !final {
		return nil
	}
	if table != nil {
		f.tableBytes += table.Bytes()
	}
	if f.tableBytes > mostTableBytes {
		clear(f.tables)
		clear(f.chosen)
		f.tableBytes = 0
		if table != nil {
			f.tableBytes = table.Bytes()
		}
	}
	f.tables[key] = table
	return table
}

// read reads the file in another goroutine, and does not wait for it longer than the limit. It reports whether the file
// itself was found, so that it is not looked for again.
func (f *Files) read(pid int, path string, id identity) (table *symbols.Table, final bool) {
	if f.left <= 0 {
		return nil, false
	}
	type result struct {
		table *symbols.Table
		found bool
	}
	done := make(chan result, 1)
	holders := slices.Clone(f.holders[id.buildID])
	began := time.Now()
	go func() {
		table, found := f.find(pid, path, id, holders)
		done <- result{table, found}
	}()
	limit := time.NewTimer(min(longestFile, f.left))
	defer limit.Stop()
	select {
	case r := <-done:
		f.left -= time.Since(began)
		return r.table, r.found
	case <-limit.C:
		// The goroutine may be held up for ever by a file system. It shares nothing with the rest.
		f.left -= time.Since(began)
		return nil, true
	}
}

// find opens the places where the file may be, one after the other.
func (f *Files) find(pid int, path string, id identity, holders []int) (table *symbols.Table, found bool) {
	if id.buildID == "" {
		file, size, err := f.openMapped(pid, path, id)
		if err != nil {
			return nil, false
		}
		defer file.Close()
		table, _ := symbols.Open(file, size, symbols.InRoot(f.root(pid), path))
		return table, true
	}
	try := func(file *os.File, size int64, err error, debug symbols.Finder) bool {
		if err != nil {
			return false
		}
		defer file.Close()
		if symbols.BuildID(file, size) != id.buildID {
			return false
		}
		table, _ = symbols.Open(file, size, debug)
		return true
	}
	pids := append([]int{pid}, holders...)
	for _, each := range pids {
		if file, size, err := f.openMapped(each, path, id); try(file, size, err, symbols.InRoot(f.root(each), path)) {
			return table, true
		}
	}
	if f.cache != "" && len(id.buildID) > 2 {
		file, size, err := symbols.OpenRegular(filepath.Join(f.cache, ".build-id", id.buildID[:2], id.buildID[2:], "elf"))
		// The debug file may be in the root of any process that has the file.
		living := slices.IndexFunc(pids, func(pid int) bool { _, err := os.Stat(f.root(pid)); return err == nil })
		if try(file, size, err, symbols.InRoot(f.root(pids[max(0, living)]), path)) {
			return table, true
		}
	}
	for _, each := range pids {
		if file, size, err := symbols.OpenInRoot(f.root(each), path); try(file, size, err, symbols.InRoot(f.root(each), path)) {
			return table, true
		}
	}
	return nil, false
}

func (f *Files) root(pid int) string { return filepath.Join(f.proc, strconv.Itoa(pid), "root") }

var errNotMapped = errors.New("the process has no such file mapped")

// openMapped opens a file that the living process has mapped by this path, even if it was deleted.
func (f *Files) openMapped(pid int, path string, id identity) (*os.File, int64, error) {
	folder := filepath.Join(f.proc, strconv.Itoa(pid))
	maps, err := os.Open(filepath.Join(folder, "maps"))
	if err != nil {
		return nil, 0, err
	}
	defer maps.Close()
	lines := bufio.NewScanner(io.LimitReader(maps, longestMaps))
	lines.Buffer(make([]byte, 0, 8192), 64<<10)
	for tries := 0; lines.Scan() && tries < 4; {
		// START-END PROTECTION OFFSET DEVICE INODE PATH
		fields := strings.SplitN(lines.Text(), " ", 6)
		if len(fields) < 6 || len(fields[1]) < 3 || fields[1][2] != 'x' || plain(strings.TrimLeft(fields[5], " ")) != path {
			continue
		}
		tries++
		device, ok := parseDevice(fields[3])
		inode, err := strconv.ParseUint(fields[4], 10, 64)
		isSame := ok && err == nil && id.known && device == id.device && inode == id.inode
		if id.buildID == "" && !isSame {
			continue
		}
		start, end, _ := strings.Cut(fields[0], "-")
		name := strings.TrimLeft(start, "0") + "-" + strings.TrimLeft(end, "0")
		file, size, err := symbols.OpenRegular(filepath.Join(folder, "map_files", name))
		if err != nil {
			file, size, err = f.openProgram(folder, device, inode)
		}
		if err == nil {
			return file, size, nil
		}
	}
	return nil, 0, errNotMapped
}

// openProgram opens the program of a process, if it is this file. Without the capability for map_files that is left.
func (f *Files) openProgram(folder string, device, inode uint64) (*os.File, int64, error) {
	file, size, err := symbols.OpenRegular(filepath.Join(folder, "exe"))
	if err != nil {
		return nil, 0, err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil || stat.Ino != inode ||
		uint64(unix.Major(stat.Dev))<<32|uint64(unix.Minor(stat.Dev)) != device {
		file.Close()
		return nil, 0, errNotMapped
	}
	return file, size, nil
}
