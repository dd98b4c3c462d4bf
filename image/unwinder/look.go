package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
)

// Bounds of what `look` reads: it stands before every recording, and what it reads belongs to the tenants.
const (
	lookTime  = 2 * time.Second
	lookFiles = 64
)

// runtimes are programs and libraries whose own stack says little: the functions of the program that they run are elsewhere.
// `why` is what they are: something that interprets, or that compiles while the program runs.
var runtimes = []struct {
	language, why string
	file          *regexp.Regexp
}{
	{"python", "interpreter", regexp.MustCompile(`^(lib)?python[23](\.\d+)?(\.so.*)?$`)},
	{"ruby", "interpreter", regexp.MustCompile(`^(lib)?ruby([-\d.]*)(\.so.*)?$`)},
	{"java", "jit", regexp.MustCompile(`^libjvm\.so$`)},
	{"javascript", "jit", regexp.MustCompile(`^(node(js)?|libnode\.so.*)$`)},
	{"php", "interpreter", regexp.MustCompile(`^(php[-\d.]*|php-(cgi|fpm)[\d.]*|libphp[\d.]*\.so)$`)},
	{"perl", "interpreter", regexp.MustCompile(`^(perl[\d.]*|libperl\.so.*)$`)},
	{"dotnet", "jit", regexp.MustCompile(`^libcoreclr\.so$`)},
	{"beam", "jit", regexp.MustCompile(`^beam(\.smp)?$`)},
	{"luajit", "jit", regexp.MustCompile(`^(luajit[-\d.]*|libluajit[-\d.]*\.so.*)$`)},
}

func languageOf(path string) (language, why string) {
	name := filepath.Base(strings.TrimSuffix(path, " (deleted)"))
	for _, each := range runtimes {
		if each.file.MatchString(name) {
			return each.language, each.why
		}
	}
	return "", ""
}

// A way is better for the scope if it is better for this share of the CPU time of its processes.
const enough = 0.05

// runLook says in one line how the stacks of a cgroup, or with --node of a node, are walked best: `way=WAY why=WHY`, in the
// words of src/profile/unwinding.ts.
//
// A container often has a shell or an init beside the program that works. So each process counts by the CPU time that it
// has used since it began.
func runLook(args []string) error {
	if len(args) == 0 {
		return errors.New("it needs the directory of a cgroup, or --node")
	}
	// By eBPF the files of every process of the node would have to be read.
	if args[0] == "--node" {
		fmt.Println("way=fp why=whole-node")
		return nil
	}
	deadline := time.Now().Add(lookTime)
	programs := map[string]bool{} // by identity of the file: whether it sets up frame pointers
	votes := map[string]uint64{}
	var all uint64
	for _, pid := range processesOf(args) {
		if time.Now().After(deadline) {
			break
		}
		folder := filepath.Join("/proc", strconv.Itoa(pid))
		exe := filepath.Join(folder, "exe")
		about, err := os.Stat(exe)
		if err != nil || !about.Mode().IsRegular() {
			continue
		}
		weight := cpuTicks(folder) + 1
		all += weight
		if language, kind := languageOfProcess(folder); language != "" {
			votes[kind] += weight
			continue
		}
		stat := about.Sys().(*syscall.Stat_t)
		key := fmt.Sprint(stat.Dev, stat.Ino)
		has, known := programs[key]
		if !known {
			if len(programs) >= lookFiles {
				break
			}
			with, without := framePointers(exe)
			has = with >= without
			programs[key] = has
		}
		if has {
			votes["frame-pointers"] += weight
		} else {
			votes["no-frame-pointers"] += weight
		}
	}
	way, why := choice(votes, all)
	if way == "ebpf" && !kernelRunsBPF() {
		way, why = "dwarf", "no-bpf"
		if votes["no-frame-pointers"] == 0 {
			way = "fp"
		}
	}
	fmt.Printf("way=%s why=%s\n", way, why)
	return nil
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

func languageOfProcess(folder string) (language, why string) {
	for _, path := range executableFiles(folder) {
		if language, why = languageOf(path); language != "" {
			return language, why
		}
	}
	return "", ""
}

// languagesOf lists the languages that any of the processes runs.
func languagesOf(pids []int) map[string]bool {
	found := map[string]bool{}
	for _, pid := range pids {
		if language, _ := languageOfProcess(filepath.Join("/proc", strconv.Itoa(pid))); language != "" {
			found[language] = true
		}
	}
	return found
}

// executableFiles lists the files from which the process has mapped code.
func executableFiles(folder string) []string {
	maps, err := os.ReadFile(filepath.Join(folder, "maps"))
	if err != nil {
		return nil
	}
	var files []string
	for line := range strings.SplitSeq(string(maps), "\n") {
		fields := strings.SplitN(line, " ", 6)
		if len(fields) == 6 && strings.Contains(fields[1], "x") {
			if path := strings.TrimSpace(fields[5]); strings.HasPrefix(path, "/") {
				files = append(files, path)
			}
		}
	}
	return files
}

// framePointers weighs the functions of a program by their bytes of code: those that set up a frame pointer and those that do
// not. Go sets one up in every function, and says nothing of it in .eh_frame; a program without .eh_frame can be walked by
// frame pointers alone. Of both none lacks one.
func framePointers(path string) (with, without uint64) {
	// A hostile file must not end this program.
	defer func() {
		if recover() != nil {
			with, without = 0, 0
		}
	}()
	file, err := elf.Open(path)
	if err != nil {
		return 0, 0
	}
	defer file.Close()
	if file.Section(".gopclntab") != nil || file.Section(".note.go.buildid") != nil {
		return 1, 0
	}
	section := file.Section(".eh_frame")
	if section == nil || section.Type == elf.SHT_NOBITS || section.Size > maxFrameBytes {
		return 1, 0
	}
	bytes := make([]byte, section.Size)
	if n, _ := section.ReadAt(bytes, 0); n != len(bytes) {
		return 1, 0
	}
	return countFramePointers(bytes, frameRegister(file.Machine), file.ByteOrder, file.Class == elf.ELFCLASS64)
}
