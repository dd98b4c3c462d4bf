package main

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gkeprof-unwinder/beam"
	"gkeprof-unwinder/perl"
	"gkeprof-unwinder/ruby"
	"gkeprof-unwinder/symbols"
)

// runtimes are programs and libraries whose own stack says little: the functions of the program that they run are elsewhere.
// `why` is what they are: something that interprets, or that compiles while the program runs. `named` says why a file of
// them is one whose programs' functions get no names; where it is absent, the profiler itself has been right so far.
var runtimes = []struct {
	language, why string
	file          *regexp.Regexp
	named         func(*elf.File) error
}{
	{"python", "interpreter", regexp.MustCompile(`^(lib)?python[23](\.\d+)?(\.so.*)?$`), nil},
	{"ruby", "interpreter", regexp.MustCompile(`^(lib)?ruby([-\d.]*)(\.so.*)?$`), ruby.Named},
	{"java", "jit", regexp.MustCompile(`^libjvm\.so$`), nil},
	{"javascript", "jit", regexp.MustCompile(`^(node(js)?|libnode\.so.*)$`), nil},
	{"php", "interpreter", regexp.MustCompile(`^(php[-\d.]*|php-(cgi|fpm)[\d.]*|libphp[\d.]*\.so)$`), nil},
	{"perl", "interpreter", regexp.MustCompile(`^(perl[\d.]*|libperl\.so.*)$`), perl.Named},
	{"dotnet", "jit", regexp.MustCompile(`^libcoreclr\.so$`), nil},
	{"beam", "jit", regexp.MustCompile(`^beam\.smp$`), beam.Named},
}

// languageOf returns the language that a file of this name runs, which kind of a runtime it is, and what tells whether it is named.
func languageOf(path string) (language, why string, named func(*elf.File) error) {
	name := filepath.Base(strings.TrimSuffix(path, " (deleted)"))
	for _, each := range runtimes {
		if each.file.MatchString(name) {
			return each.language, each.why, each.named
		}
	}
	return "", "", nil
}

// finder finds what processes run. It looks into each file once.
type finder struct {
	named map[string]bool // by identity of the file
}

func newFinder() *finder { return &finder{named: map[string]bool{}} }

// ofProcess returns the language of a process whose functions eBPF names, and which kind of a runtime it has; none for all else.
// `code` is the file that the process runs: its program, or the interpreter whose programs get no names.
func (f *finder) ofProcess(folder string) (language, why, code string) {
	code = filepath.Join(folder, "exe")
	for _, file := range executableFiles(folder) {
		language, why, named := languageOf(file.path)
		switch {
		case language == "":
		case named == nil || f.isNamed(file.entry, named):
			return language, why, code
		default:
			// Of a small program and the library of its interpreter, the library comes behind it.
			code = file.entry
		}
	}
	return "", "", code
}

func (f *finder) isNamed(entry string, named func(*elf.File) error) bool {
	file, _, err := symbols.OpenRegular(entry)
	if err != nil {
		return false
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return false
	}
	key := identity(about)
	is, known := f.named[key]
	if !known {
		is = isNamed(file, named)
		f.named[key] = is
	}
	return is
}

// The largest tables of symbols that are read. The one of a ruby that is linked statically, and not stripped, has 1 MB.
const maxSymbolBytes = 32 << 20

func isNamed(file *os.File, named func(*elf.File) error) (is bool) {
	// A hostile file must not end this program.
	defer func() {
		if recover() != nil {
			is = false
		}
	}()
	object, err := elf.NewFile(file)
	if err != nil {
		return false
	}
	for _, section := range object.Sections {
		if (section.Type == elf.SHT_DYNSYM || section.Type == elf.SHT_SYMTAB) && section.Size > maxSymbolBytes {
			return false
		}
	}
	return named(object) == nil
}

// identity tells files apart, whatever their names are.
func identity(about os.FileInfo) string {
	stat := about.Sys().(*syscall.Stat_t)
	return fmt.Sprint(stat.Dev, stat.Ino)
}

// Bound of the search for languages before a recording, which waits for it.
const languagesTime = 5 * time.Second

// languagesOf lists the languages that any of the processes runs. Where the time is over, it says so: the functions of a
// language that was not found get no names.
func languagesOf(pids []int, most time.Duration) map[string]bool {
	deadline := time.Now().Add(most)
	finder := newFinder()
	found := map[string]bool{}
	for i, pid := range pids {
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "languages were looked for in %d of %d processes, for %v; a language of the others may get no names\n",
				i, len(pids), most)
			break
		}
		if language, _, _ := finder.ofProcess(filepath.Join("/proc", strconv.Itoa(pid))); language != "" {
			found[language] = true
		}
	}
	return found
}

// mapped is a file from which a process has mapped code.
type mapped struct {
	path  string
	entry string // of /proc, which leads to the file whatever its path leads to now
}

func executableFiles(folder string) []mapped {
	maps, err := os.ReadFile(filepath.Join(folder, "maps"))
	if err != nil {
		return nil
	}
	var files []mapped
	for line := range strings.SplitSeq(string(maps), "\n") {
		fields := strings.SplitN(line, " ", 6)
		if len(fields) < 6 || !strings.Contains(fields[1], "x") {
			continue
		}
		path := strings.TrimSpace(fields[5])
		var start, end uint64
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &start, &end); err == nil && strings.HasPrefix(path, "/") {
			// The names there have no leading zeros, which the addresses of this list may have.
			files = append(files, mapped{path, fmt.Sprintf("%s/map_files/%x-%x", folder, start, end)})
		}
	}
	return files
}
