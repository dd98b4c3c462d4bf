package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"

	"gkeprof-unwinder/symbols"
)

// Bounds of what `look` reads: it stands before every recording, and what it reads belongs to the tenants.
const (
	lookTime  = 2 * time.Second
	lookFiles = 256
)

// A way is better for the scope if it is better for this share of the CPU time of its processes.
const enough = 0.05

// runLook says in one line how the stacks of a cgroup, or with --node of a node, are walked best: `way=WAY why=WHY`, in the
// words of src/profile/unwinding.ts.
func runLook(args []string) error {
	if len(args) == 0 {
		return errors.New("it needs the directory of a cgroup, or --node")
	}
	// By eBPF the files of every process of the node would have to be read.
	if args[0] == "--node" {
		fmt.Println("way=fp why=whole-node")
		return nil
	}
	way, why := look(processesOf(args), kernelRunsBPF)
	fmt.Printf("way=%s why=%s\n", way, why)
	return nil
}

// look chooses the way for processes. A container often has a shell or an init beside the program that works. So each process
// counts by the CPU time that it has used since it began.
func look(pids []int, runsBPF func() bool) (way, why string) {
	l := looker{time.Now().Add(lookTime), newFinder(), map[string]nativeCode{}}
	votes := map[string]uint64{}
	var all, dwarf uint64
	for _, pid := range pids {
		if time.Now().After(l.deadline) {
			break
		}
		folder := filepath.Join("/proc", strconv.Itoa(pid))
		about, err := os.Stat(filepath.Join(folder, "exe"))
		if err != nil || !about.Mode().IsRegular() {
			continue
		}
		weight := cpuTicks(folder) + 1
		all += weight
		reason, byTables := l.reasonOf(folder)
		if reason != "" {
			votes[reason] += weight
		}
		if byTables {
			dwarf += weight
		}
	}
	way, why = choice(votes, all)
	if way == "ebpf" && !runsBPF() {
		way, why = "dwarf", "no-bpf"
		if dwarf == 0 {
			way = "fp"
		}
	}
	return way, why
}

// looker looks into each file once.
type looker struct {
	deadline time.Time
	finder   *finder
	files    map[string]nativeCode // by identity of the file
}

// reasonOf returns the reason for or against frame pointers that a process is, none if its program cannot be read; and whether
// DWARF finds more of its callers.
func (l *looker) reasonOf(folder string) (reason string, byTables bool) {
	language, kind, code := l.finder.ofProcess(folder)
	if language != "" {
		return kind, false
	}
	program, known := l.read(code)
	switch {
	case !known:
		return "", false
	case program.lacksFrames():
		return "no-frame-pointers", true
	case l.usesFramelessLibrary(folder):
		// By DWARF perf finds no caller at all in a program without the index of the tables, as those of Go are.
		return "libraries", program.index
	}
	return "frame-pointers", false
}

// usesFramelessLibrary tells whether a process has mapped a library whose functions set up no frame pointers. A stack that is
// walked by frame pointers loses one caller in a function without a frame, and ends in one that uses the register for something
// else, however the program itself was built. Neither the size of a library nor its name tells whether it is busy, so each one counts.
func (l *looker) usesFramelessLibrary(folder string) bool {
	for _, file := range executableFiles(folder) {
		if cRuntime.MatchString(filepath.Base(strings.TrimSuffix(file.path, " (deleted)"))) {
			continue
		}
		if library, known := l.read(file.entry); known && library.without > startupBytes && library.lacksFrames() {
			return true
		}
	}
	return false
}

// cRuntime are the libraries that nearly every program in C or C++ has mapped, of glibc and musl, GCC and LLVM. Most distributions
// build them without frame pointers, so by them alone no program would be recorded by frame pointers. What is busy in them most often,
// copying, comparing and system calls, is written in assembler and leaves the register alone: only one caller is missing there.
var cRuntime = regexp.MustCompile(
	`^(ld|ld-linux[-\w]*|ld64|ld-musl-\w+|libc|libc\.musl-\w+|libm|libmvec|libdl|libpthread|librt|libutil|libanl|libresolv|libnss_\w+|` +
		`libgcc_s|libatomic|libstdc\+\+|libc\+\+|libc\+\+abi|libunwind)(-[\d.]+)?\.so(\.[\d.]+)?$`)

// read looks into a program or library; it is not known if it is no regular file, or the bounds are reached.
func (l *looker) read(path string) (code nativeCode, known bool) {
	if time.Now().After(l.deadline) {
		return code, false
	}
	file, _, err := symbols.OpenRegular(path)
	if err != nil {
		return code, false
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return code, false
	}
	key := identity(about)
	if code, known = l.files[key]; known || len(l.files) >= lookFiles {
		return code, known
	}
	code = readNativeCode(file)
	l.files[key] = code
	return code, true
}

// choice takes the reason against frame pointers that has most of the CPU time, if it has enough of it.
func choice(votes map[string]uint64, all uint64) (way, why string) {
	if all == 0 {
		return "fp", "no-processes"
	}
	way, why = "fp", "frame-pointers"
	var most uint64
	for reason, weight := range votes {
		if reason == "frame-pointers" || float64(weight) < enough*float64(all) {
			continue
		}
		if weight > most || weight == most && reason < why {
			way, why, most = "ebpf", reason, weight
		}
	}
	return way, why
}

// kernelRunsBPF tells whether this process may load a program for perf events, and whether the kernel has the ring buffer by which
// samples come (since Linux 5.8).
func kernelRunsBPF() bool {
	return features.HaveProgramType(ebpf.PerfEvent) == nil && features.HaveMapType(ebpf.RingBuf) == nil
}

// cpuTicks is utime and stime of proc(5), in clock ticks. The name of the program stands in brackets and may hold anything.
func cpuTicks(folder string) uint64 {
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseUint(fields[11], 10, 64)
	system, _ := strconv.ParseUint(fields[12], 10, 64)
	return user + system
}

// nativeCode is what decides how the stacks of a program or library are walked.
type nativeCode struct {
	frameBytes
	index bool // of its tables for unwinding, .eh_frame_hdr, without which perf does not use them
}

// The share of a file's code, as its divisor, that may use the register of the frame pointer for something else. Redis sets up
// frame pointers in its own code, but not in the libraries that are linked into it: they are 10 % of Redis 8.0 with the allocator
// of the C library, and 34 % with jemalloc, as its own Makefile builds it.
const reuseDivisor = 5

func (c nativeCode) lacksFrames() bool {
	return c.without > c.with || c.reuse > (c.with+c.without)/reuseDivisor
}

// readNativeCode weighs the functions of a file by their bytes of code: those that set up a frame pointer and those that do
// not. Go sets one up in every function, and says nothing of it in .eh_frame; a program without .eh_frame can be walked by
// frame pointers alone. Of both none lacks one. Of a program in Rust only what lacks one tells how it was built: the standard
// library that is linked into it has frame pointers in every function (since Rust 1.79), and is most of a small program.
func readNativeCode(from io.ReaderAt) (code nativeCode) {
	// A hostile file must not end this program.
	defer func() {
		if recover() != nil {
			code = nativeCode{}
		}
	}()
	file, err := elf.NewFile(from)
	if err != nil {
		return nativeCode{}
	}
	if file.Section(".gopclntab") != nil || file.Section(".note.go.buildid") != nil {
		return nativeCode{}
	}
	code.index = file.Section(".eh_frame_hdr") != nil
	section := file.Section(".eh_frame")
	if section == nil || section.Type == elf.SHT_NOBITS || section.Size > maxFrameBytes {
		return code
	}
	table := make([]byte, section.Size)
	if n, _ := section.ReadAt(table, 0); n != len(table) {
		return code
	}
	code.frameBytes = countFramePointers(table, frameRegister(file.Machine), file.ByteOrder, file.Class == elf.ELFCLASS64)
	if code.without > startupBytes && isRust(file) {
		code.with = 0
	}
	return code
}

// startupBytes of code without frame pointers are in every program: what the C library starts it with, and stubs of the linker.
const startupBytes = 256

// isRust asks the section in which compilers leave their names, which stripping keeps.
func isRust(file *elf.File) bool {
	section := file.Section(".comment")
	if section == nil || section.Size > 1<<16 {
		return false
	}
	text, err := section.Data()
	return err == nil && bytes.Contains(text, []byte("rustc version"))
}
