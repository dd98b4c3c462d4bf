package names

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

const (
	longestLine   = 1 << 20
	longestSample = 8 << 20
	mostObjects   = 1 << 16
	mostRendered  = 1 << 19 // names that are kept, so that the table is not searched for each sample
	noProcess     = -2      // perf has -1 for what belongs to none
)

// Namer names the functions of the files that processes have mapped.
type Namer interface {
	// Mapped is told what a process maps, before the first sample of it.
	Mapped(mapping Mapping)
	// Name returns the function at an offset of the file that a process has mapped by this path.
	Name(pid int, path string, offset uint64) (name string, within uint64, ok bool)
	// BuildIDs returns the build IDs of the files that a process has mapped by this path; those of all processes if nothing
	// is known about this one.
	BuildIDs(pid int, path string) []string
}

type place struct {
	pid    int
	offset uint64
}

// object is what the filter knows of a path.
type object struct {
	path      string
	isFile    bool
	statedFor int // the process for which its build ID was written last
	names     map[place]string
}

// Filter copies a text of perf script and names its frames.
type Filter struct {
	namer    Namer
	pid      int
	sample   []byte // what of the current sample was read, as it will be written
	comments []byte // what stands before it
	objects  map[string]*object
	stated   map[string]bool // the lines with build IDs that are in the text
	rendered int             // names that all objects have together
}

// NewFilter returns a filter that asks for names there.
func NewFilter(namer Namer) *Filter {
	return &Filter{namer: namer, pid: -1, objects: map[string]*object{}, stated: map[string]bool{}}
}

// Copy reads all of the text and writes it with names. A last sample that is cut is written as far as it goes.
func (f *Filter) Copy(to io.Writer, from io.Reader) error {
	in, out := bufio.NewReaderSize(from, longestLine), bufio.NewWriterSize(to, 1<<18)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			// No line of perf is that long: it is left as it is.
			f.sample = append(f.sample, line...)
			for errors.Is(err, bufio.ErrBufferFull) {
				if err := f.flush(out); err != nil {
					return err
				}
				line, err = in.ReadSlice('\n')
				f.sample = append(f.sample, line...)
			}
		case len(line) > 0:
			f.add(line)
		}
		if err != nil || len(line) == 1 || len(f.sample) > longestSample {
			if err := f.flush(out); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
	}
}

func (f *Filter) flush(out *bufio.Writer) error {
	if _, err := out.Write(f.comments); err != nil {
		return err
	}
	_, err := out.Write(f.sample)
	f.comments, f.sample = f.comments[:0], f.sample[:0]
	return err
}

// add takes a line with its line feed; the last one may lack it.
func (f *Filter) add(line []byte) {
	text := bytes.TrimSuffix(line, []byte("\n"))
	if len(text) == 0 {
		f.pid = -1
		f.sample = append(f.sample, line...)
		return
	}
	if text[0] == '\t' && text[len(text)-1] == ')' {
		f.addFrame(text, line[len(text):])
		return
	}
	if at := bytes.Index(text, []byte("PERF_RECORD_MMAP")); at >= 0 {
		if mapping, ok := parseMapping(string(text[at:])); ok {
			f.namer.Mapped(mapping)
		}
		return
	}
	if text[0] != '\t' {
		if pid, ok := pidOf(text); ok {
			f.pid = pid
		}
	}
	f.sample = append(f.sample, line...)
}

// addFrame takes `\tADDRESS SYMBOL+0xN (PATH+0xOFFSET)`. perf prints the last part only for what is in a file.
func (f *Filter) addFrame(text, feed []byte) {
	end, offset, ok := objectOffset(text)
	if !ok {
		f.sample = append(append(f.sample, text...), feed...)
		return
	}
	symbol, start, isUnknown := objectStart(text[:end])
	var of *object
	if start >= 0 {
		of = f.object(text[start:end])
	}
	if of == nil || !of.isFile || !isUnknown {
		f.sample = append(append(append(f.sample, text[:end]...), ')'), feed...)
		return
	}
	name := f.nameAt(of, offset)
	if name == "" {
		f.sample = append(append(f.sample, text...), feed...)
		return
	}
	f.sample = append(append(f.sample, text[:symbol]...), name...)
	f.sample = append(append(append(append(f.sample, " ("...), text[start:end]...), ')'), feed...)
}

// object returns what is known of a path, after its build ID was written before the first sample that has it.
func (f *Filter) object(path []byte) *object {
	of := f.objects[string(path)]
	if of == nil {
		if len(f.objects) > mostObjects {
			clear(f.objects)
			f.rendered = 0
		}
		of = &object{path: string(path), isFile: isFile(path), statedFor: noProcess, names: map[place]string{}}
		f.objects[of.path] = of
	}
	if of.isFile && of.statedFor != f.pid {
		of.statedFor = f.pid
		for _, id := range f.namer.BuildIDs(f.pid, of.path) {
			if line := "# build-id: " + id + " " + plain(of.path) + "\n"; !f.stated[line] {
				f.stated[line] = true
				f.comments = append(f.comments, line...)
			}
		}
	}
	return of
}

// nameAt returns NAME+0xN, or nothing.
func (f *Filter) nameAt(of *object, offset uint64) string {
	key := place{f.pid, offset}
	name, ok := of.names[key]
	if ok {
		return name
	}
	if found, within, ok := f.namer.Name(f.pid, of.path, offset); ok {
		name = found + "+0x" + strconv.FormatUint(within, 16)
	}
	if f.rendered++; f.rendered > mostRendered {
		for _, each := range f.objects {
			clear(each.names)
		}
		f.rendered = 1
	}
	of.names[key] = name
	return name
}

// objectOffset reads `+0xOFFSET)` at the end of a frame, and returns where it begins.
func objectOffset(text []byte) (end int, offset uint64, ok bool) {
	at := len(text) - 1
	for shift := 0; at > 0 && shift < 64; shift += 4 {
		digit, isDigit := hexDigit(text[at-1])
		if !isDigit {
			break
		}
		offset |= digit << shift
		at--
	}
	if at == len(text)-1 || at < 3 || string(text[at-3:at]) != "+0x" {
		return 0, 0, false
	}
	return at - 3, offset, true
}

func hexDigit(c byte) (uint64, bool) {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0'), true
	case c >= 'a' && c <= 'f':
		return uint64(c-'a') + 10, true
	}
	return 0, false
}

// objectStart returns where the symbol and the path begin in a frame without its end.
func objectStart(text []byte) (symbol, path int, isUnknown bool) {
	at := 0
	for at < len(text) && (text[at] == '\t' || text[at] == ' ') {
		at++
	}
	for at < len(text) {
		if _, ok := hexDigit(text[at]); !ok {
			break
		}
		at++
	}
	if at++; at >= len(text) || text[at-1] != ' ' {
		return 0, -1, false
	}
	symbol = at
	if bytes.HasPrefix(text[at:], []byte("[unknown] (")) {
		return symbol, at + len("[unknown] ("), true
	}
	// A symbol may hold brackets and blanks, so the first bracket behind an offset counts, and a path may hold them too.
	for {
		found := bytes.Index(text[at:], []byte(" ("))
		if found < 0 {
			return symbol, -1, false
		}
		digits := at + found
		for digits > symbol {
			if _, ok := hexDigit(text[digits-1]); !ok {
				break
			}
			digits--
		}
		if digits < at+found && digits >= symbol+3 && string(text[digits-3:digits]) == "+0x" {
			return symbol, at + found + 2, false
		}
		at += found + 2
	}
}

// isFile reports whether an object is a file: not the memory of a process, and not the map of a JIT compiler.
func isFile(path []byte) bool {
	if len(path) < 2 || path[0] != '/' || path[1] == '/' {
		return false
	}
	for _, no := range []string{"/memfd:", "/dev/", "/SYSV", "/anon_hugepage", "/[", "/proc/"} {
		if bytes.HasPrefix(path, []byte(no)) {
			return false
		}
	}
	return !(bytes.HasSuffix(path, []byte(".map")) && bytes.Contains(path, []byte("/perf-")))
}

// pidOf reads the process of `COMM PID/TID [CPU] TIME: PERIOD EVENT:`, from the right, because a thread may call itself
// anything.
func pidOf(text []byte) (int, bool) {
	text = bytes.TrimRight(text, " ")
	if len(text) == 0 || text[len(text)-1] != ':' {
		return 0, false
	}
	text = beforeLastField(text) // the event
	if len(text) > 0 && text[len(text)-1] != ':' {
		text = beforeLastField(text) // the period
	}
	if len(text) == 0 || text[len(text)-1] != ':' {
		return 0, false
	}
	text = beforeLastField(text) // the time
	if len(text) > 0 && text[len(text)-1] == ']' {
		text = beforeLastField(text) // the processor
	}
	ids := text[bytes.LastIndexByte(text, ' ')+1:]
	pid, tid, both := bytes.Cut(ids, []byte("/"))
	number, err := strconv.Atoi(string(pid))
	if _, wrong := strconv.Atoi(string(tid)); err != nil || both && wrong != nil {
		return 0, false
	}
	return number, true
}

func beforeLastField(text []byte) []byte {
	return bytes.TrimRight(text[:bytes.LastIndexByte(text, ' ')+1], " ")
}

// nobodysID is what the node's script (src/collectors/perf/harvest.sh) writes into a record whose file nobody can be sure
// of: "no such build id    ". A mapping with neither a build ID nor an inode gets no names.
const nobodysID = "6e6f2073756368206275696c6420696420202020"

// Mapping is what perf recorded about code that was mapped.
type Mapping struct {
	PID         int
	Path        string
	BuildID     string // in hexadecimal digits; if perf had one, the next two are not known
	Device      uint64 // major<<32 | minor
	Inode       uint64
	HasIdentity bool // the device and the inode are known
}

// parseMapping reads `PERF_RECORD_MMAP2 PID/TID: [0xSTART(0xLENGTH) @ OFFSET <BUILD ID>]: PROTECTION PATH`, or with
// `MAJOR:MINOR INODE GENERATION` in the place of the build ID.
func parseMapping(text string) (mapping Mapping, ok bool) {
	head, rest, found := strings.Cut(text, ": [")
	where, what, found2 := strings.Cut(rest, "]: ")
	kind, ids, found3 := strings.Cut(head, " ")
	protection, path, found4 := strings.Cut(what, " ")
	if !found || !found2 || !found3 || !found4 || kind != "PERF_RECORD_MMAP2" || len(protection) != 4 || path == "" {
		return mapping, false
	}
	pid, _, _ := strings.Cut(ids, "/")
	number, err := strconv.Atoi(pid)
	if err != nil || number <= 0 {
		return mapping, false
	}
	mapping.PID, mapping.Path = number, path
	_, identity, found := strings.Cut(where, " @ ")
	if !found {
		return mapping, false
	}
	fields := strings.Fields(identity)
	if len(fields) == 2 && strings.HasPrefix(fields[1], "<") && strings.HasSuffix(fields[1], ">") {
		if mapping.BuildID = strings.Trim(fields[1], "<>"); mapping.BuildID == nobodysID {
			mapping.BuildID = ""
		}
		return mapping, true
	}
	if len(fields) != 4 {
		return mapping, false
	}
	mapping.Device, ok = parseDevice(fields[1])
	mapping.Inode, err = strconv.ParseUint(fields[2], 10, 64)
	mapping.HasIdentity = ok && err == nil && mapping.Inode != 0
	return mapping, true
}

// parseDevice reads MAJOR:MINOR in hexadecimal digits, as they are in /proc/PID/maps.
func parseDevice(text string) (uint64, bool) {
	major, minor, found := strings.Cut(text, ":")
	a, err1 := strconv.ParseUint(major, 16, 32)
	b, err2 := strconv.ParseUint(minor, 16, 32)
	return a<<32 | b, found && err1 == nil && err2 == nil
}
