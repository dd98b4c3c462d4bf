package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
)

// Bounds of what `look` reads: it stands before every recording, and what it reads belongs to the tenants.
const (
	lookTime  = 2 * time.Second
	lookFiles = 64
)

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
	finder := newFinder()
	votes := map[string]uint64{}
	var all uint64
	for _, pid := range processesOf(args) {
		if time.Now().After(deadline) {
			break
		}
		folder := filepath.Join("/proc", strconv.Itoa(pid))
		about, err := os.Stat(filepath.Join(folder, "exe"))
		if err != nil || !about.Mode().IsRegular() {
			continue
		}
		weight := cpuTicks(folder) + 1
		all += weight
		language, kind, code := finder.ofProcess(folder)
		if language != "" {
			votes[kind] += weight
			continue
		}
		if about, err = os.Stat(code); err != nil || !about.Mode().IsRegular() {
			continue
		}
		key := identity(about)
		has, known := programs[key]
		if !known {
			if len(programs) >= lookFiles {
				break
			}
			with, without := framePointers(code)
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

// framePointers weighs the functions of a program by their bytes of code: those that set up a frame pointer and those that do
// not. Go sets one up in every function, and says nothing of it in .eh_frame; a program without .eh_frame can be walked by
// frame pointers alone. Of both none lacks one. Of a program in Rust only what lacks one tells how it was built: the standard
// library that is linked into it has frame pointers in every function (since Rust 1.79), and is most of a small program.
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
	table := make([]byte, section.Size)
	if n, _ := section.ReadAt(table, 0); n != len(table) {
		return 1, 0
	}
	with, without = countFramePointers(table, frameRegister(file.Machine), file.ByteOrder, file.Class == elf.ELFCLASS64)
	if without > startupBytes && isRust(file) {
		with = 0
	}
	return with, without
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
