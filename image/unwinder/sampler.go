package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"go.opentelemetry.io/ebpf-profiler/interpreter/interpreterconfig"
	"go.opentelemetry.io/ebpf-profiler/libpf"
	"go.opentelemetry.io/ebpf-profiler/tracer"
)

// How often the kernel's samples and the processes that it saw for the first time are read.
const pollInterval = 50 * time.Millisecond

// intervals are the profiler's: it is made to run for months, this program runs for seconds.
type intervals struct{}

func (intervals) MonitorInterval() time.Duration       { return pollInterval }
func (intervals) TracePollInterval() time.Duration     { return pollInterval }
func (intervals) PIDCleanupInterval() time.Duration    { return 10 * time.Second }
func (intervals) ExecutableUnloadDelay() time.Duration { return time.Hour }

// sampler opens the profiler's program on the perf events of the cgroups alone. The profiler itself would sample all
// processors, and drop afterwards what nobody asked for: so it never sees the other pods of the node, reads none of their
// files, and costs them nothing.
type sampler struct {
	tracer  *tracer.Tracer
	periods uint64 // nanoseconds from one sample to the next
	events  []int  // one file descriptor for each cgroup and processor
	cgroups []string
	known   *ebpf.Map // pid_page_to_mapping_info: the processes whose mappings the kernel's half knows
	report  *ebpf.Map // pid_events: the processes that it asks for
	stopped sync.Once
}

func newSampler(ctx context.Context, frequency int, cgroups []string, text *text) (*sampler, error) {
	found := languagesOf(processesOf(cgroups), languagesTime)
	trc, err := tracer.NewTracer(ctx, &tracer.Config{
		TraceReporter:           text,
		ExecutableReporter:      text.objects,
		Intervals:               intervals{},
		InterpretersConfig:      interpreters(found),
		SamplesPerSecond:        frequency,
		FilterIdleFrames:        true,
		KernelVersionCheck:      true,
		ProbabilisticThreshold:  tracer.ProbabilisticThresholdMax,
		IncludeEnvVars:          libpf.Set[string]{},
		PIDNamespaceTranslation: !inFirstPIDNamespace(),
	})
	if err != nil {
		return nil, err
	}
	sampler := &sampler{tracer: trc, periods: uint64(time.Second) / uint64(frequency), cgroups: cgroups}
	entry, err := sampler.findProgram()
	if err != nil {
		trc.Close()
		return nil, err
	}
	defer entry.Close()
	if err := sampler.open(entry); err != nil {
		sampler.close()
		return nil, err
	}
	trc.StartPIDEventProcessor(ctx)
	if err := trc.AttachSchedMonitor(); err != nil {
		sampler.close()
		return nil, fmt.Errorf("cannot watch for the end of processes: %w", err)
	}
	traces := make(chan *libpf.EbpfTrace)
	if err := trc.StartMapMonitors(ctx, traces); err != nil {
		sampler.close()
		return nil, err
	}
	go func() {
		for {
			select {
			case trace := <-traces:
				if trace != nil {
					trc.HandleTrace(trace)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	fmt.Fprintf(os.Stderr, "loaded after %.2f s\n", time.Since(text.began).Seconds())
	if err := sampler.introduce(); err != nil {
		sampler.close()
		return nil, err
	}
	return sampler, nil
}

// interpreters chooses what is loaded into the kernel: the verifier takes most of the time until the recording begins, and
// takes three times as long for all languages as for native code alone. A program of another language that begins later
// shows its interpreter's functions.
func interpreters(found map[string]bool) interpreterconfig.Config {
	config := interpreterconfig.AllInterpreters()
	config.Python.Disabled = !found["python"]
	config.Ruby.Disabled = !found["ruby"]
	config.Hotspot.Disabled = !found["java"]
	config.V8.Disabled = !found["javascript"]
	config.PHP.Disabled = !found["php"]
	config.Perl.Disabled = !found["perl"]
	config.Dotnet.Disabled = !found["dotnet"]
	config.BEAM.Disabled = !found["beam"]
	// Of LuaJIT the profiler has the name alone.
	config.LuaJIT.Disabled = true
	// Otherwise the stack is lost whose function is one in C, called by Ruby: the profiler goes on to the native caller of the
	// interpreter's loop, and reads the rest of the functions of Ruby when it meets another loop, which there need not be.
	config.Ruby.SkipNativeResume = true
	// Labels of goroutines are not printed.
	config.Go.Labels.Disabled = true
	return config
}

// inFirstPIDNamespace tells whether pids are the kernel's own (Linux include/linux/proc_ns.h, PROC_PID_INIT_INO). A node
// that is itself a container, as kind's are, has others.
func inFirstPIDNamespace() bool {
	name, err := os.Readlink("/proc/self/ns/pid")
	return err == nil && name == "pid:[4026531836]"
}

// ownPrograms returns the ids of the BPF programs that this process has open (Linux kernel/bpf/syscall.c,
// bpf_prog_show_fdinfo). Another profiler that runs on the node, or starts at the same moment, has others.
func ownPrograms() ([]ebpf.ProgramID, error) {
	const folder = "/proc/self/fdinfo"
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var ids []ebpf.ProgramID
	for _, entry := range entries {
		// The descriptor by which the folder is read is closed again by now.
		about, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(about)) {
			word, found := strings.CutPrefix(line, "prog_id:")
			if !found {
				continue
			}
			if id, err := strconv.ParseUint(strings.TrimSpace(word), 10, 32); err == nil && !slices.Contains(ids, ebpf.ProgramID(id)) {
				ids = append(ids, ebpf.ProgramID(id))
			}
		}
	}
	return ids, nil
}

// findProgram finds what the profiler has loaded and does not hand out: the program that samples, and the maps by which it
// learns of processes.
func (s *sampler) findProgram() (*ebpf.Program, error) {
	programs, err := ownPrograms()
	if err != nil {
		return nil, fmt.Errorf("cannot list the BPF programs of this process: %w", err)
	}
	var found *ebpf.Program
	for _, id := range programs {
		program, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue
		}
		info, err := program.Info()
		// The kernel keeps 15 bytes of a name.
		if err != nil || info.Type != ebpf.PerfEvent || !strings.HasPrefix("native_tracer_entry", info.Name) || len(info.Name) < 15 {
			program.Close()
			continue
		}
		if found != nil {
			program.Close()
			found.Close()
			return nil, errors.New("the sampling program is loaded twice")
		}
		found = program
	}
	if found == nil {
		return nil, errors.New("the sampling program is not loaded")
	}
	info, err := found.Info()
	if err != nil {
		return nil, err
	}
	ids, _ := info.MapIDs()
	for _, id := range ids {
		each, err := ebpf.NewMapFromID(id)
		if err != nil {
			continue
		}
		about, err := each.Info()
		switch {
		case err == nil && about.Name == "pid_page_to_mapping_info"[:15]:
			s.known = each
		case err == nil && about.Name == "pid_events":
			s.report = each
		default:
			each.Close()
		}
	}
	if s.known == nil || s.report == nil {
		return nil, errors.New("the sampling program has other maps than expected")
	}
	return found, nil
}

// open makes the events, which count nothing yet. The clock of the processor is the event: it is there on every machine,
// and its period is a time, so that a sample weighs what it stands for.
func (s *sampler) open(entry *ebpf.Program) error {
	attr := &unix.PerfEventAttr{
		Type:   unix.PERF_TYPE_SOFTWARE,
		Config: unix.PERF_COUNT_SW_CPU_CLOCK,
		Size:   uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Sample: s.periods,
		Bits:   unix.PerfBitDisabled,
	}
	var targets []int
	for _, dir := range s.cgroups {
		folder, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("cannot open the cgroup %s: %w", dir, err)
		}
		defer unix.Close(folder)
		targets = append(targets, folder)
	}
	processors, err := onlineProcessors()
	if err != nil {
		return err
	}
	for _, target := range targets {
		for _, processor := range processors {
			event, err := unix.PerfEventOpen(attr, target, processor, -1, unix.PERF_FLAG_FD_CLOEXEC|unix.PERF_FLAG_PID_CGROUP)
			if err != nil {
				return fmt.Errorf("perf_event_open on processor %d: %w", processor, err)
			}
			s.events = append(s.events, event)
			if err := unix.IoctlSetInt(event, unix.PERF_EVENT_IOC_SET_BPF, entry.FD()); err != nil {
				return fmt.Errorf("the kernel does not let a BPF program run on a perf event: %w", err)
			}
		}
	}
	return nil
}

// introduce makes the profiler read the mappings of the processes that are there before the recording begins; it would drop
// the first samples of each of them otherwise. It reads one process after the other, so it has read them all when it
// knows this one, which is named last.
func (s *sampler) introduce() error {
	pids := processesOf(s.cgroups)
	deadline := time.Now().Add(20 * time.Second)
	if err := s.name(pids); err != nil {
		return err
	}
	for len(s.unknown(pids)) > 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	self := []int{os.Getpid()}
	if err := s.name(self); err != nil {
		return err
	}
	for len(s.unknown(self)) > 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

func (s *sampler) name(pids []int) error {
	for _, pid := range pids {
		key, value := uint64(pid)<<32|uint64(pid), true
		if err := s.report.Put(key, value); err != nil {
			return fmt.Errorf("cannot name process %d to the profiler: %w", pid, err)
		}
	}
	return nil
}

// unknown returns those of the processes that live and that the profiler does not know.
func (s *sampler) unknown(pids []int) []int {
	var unknown []int
	for _, pid := range pids {
		if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "exe")); err != nil {
			continue
		}
		if !s.knows(pid) {
			unknown = append(unknown, pid)
		}
	}
	return unknown
}

// knows asks for the entry that the profiler makes for every process: processmanager.dummyPrefix.
func (s *sampler) knows(pid int) bool {
	// PIDPage of the profiler's support/ebpf/types.h: the length of the prefix, the pid and the page, both big-endian.
	key := make([]byte, 16)
	*(*uint32)(unsafe.Pointer(&key[0])) = 32 + 64
	key[4], key[5], key[6], key[7] = byte(pid>>24), byte(pid>>16), byte(pid>>8), byte(pid)
	value := make([]byte, s.known.ValueSize())
	return s.known.Lookup(key, &value) == nil
}

// processesOf lists the processes of the cgroups and of those below them.
func processesOf(cgroups []string) []int {
	var pids []int
	for _, dir := range cgroups {
		_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return nil
			}
			list, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
			if err != nil {
				return nil
			}
			for _, word := range strings.Fields(string(list)) {
				if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

func (s *sampler) start() error {
	for _, event := range s.events {
		if err := unix.IoctlSetInt(event, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
			return fmt.Errorf("cannot start an event: %w", err)
		}
	}
	return nil
}

func (s *sampler) stop() {
	s.stopped.Do(func() {
		for _, event := range s.events {
			_ = unix.IoctlSetInt(event, unix.PERF_EVENT_IOC_DISABLE, 0)
		}
	})
}

// expected returns how many samples the events stand for, by the time that they counted: one for each period.
func (s *sampler) expected() uint64 {
	var nanoseconds uint64
	for _, event := range s.events {
		var count uint64
		buffer := unsafe.Slice((*byte)(unsafe.Pointer(&count)), 8)
		if n, err := unix.Read(event, buffer); err == nil && n == 8 {
			nanoseconds += count
		}
	}
	return nanoseconds / s.periods
}

func (s *sampler) close() {
	s.stop()
	for _, event := range s.events {
		unix.Close(event)
	}
	s.tracer.Close()
}

// onlineProcessors reads a list such as `0-3,8`.
func onlineProcessors() ([]int, error) {
	list, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	var processors []int
	for part := range strings.SplitSeq(strings.TrimSpace(string(list)), ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("the list of processors %q cannot be read", list)
		}
		to := from
		if isRange {
			if to, err = strconv.Atoi(last); err != nil {
				return nil, fmt.Errorf("the list of processors %q cannot be read", list)
			}
		}
		for ; from <= to; from++ {
			processors = append(processors, from)
		}
	}
	if len(processors) == 0 {
		return nil, fmt.Errorf("no processor of %d is online", runtime.NumCPU())
	}
	return processors, nil
}
