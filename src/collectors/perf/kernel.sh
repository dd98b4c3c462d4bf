# The kernel's symbols, in files that perf reads fast. perf_apart puts one of them in the place of /proc/kallsyms, for perf alone.
#
# Before it records, perf record reads all of /proc/kallsyms up to three times, and uses only where the kernel's code begins and ends,
# and where x86 entered it before Linux 4.20 (perf: machine__get_running_kernel_start in util/machine.c, and
# arch/x86/util/machine.c). perf script sorts all of it, and half of it are `__pfx_` symbols: the padding before functions
# (Linux 6.2), which never runs. And the kernel makes each line when it is read. With 122,000 lines this was most of the CPU time
# of perf record's start, and half of that of perf script after a short recording. So the lines are read once, while the
# recording is prepared.

kernel_pid=''
# Where procfs is: tests give another folder.
kernel_proc=/proc

# Begins to write the files: kernel.script without the padding, and kernel.record.
kernel_begin() {
  kernel_modules=$(cat "$kernel_proc/modules" 2>/dev/null)
  {
    cd "$WORK" && grep -vF ' __pfx_' "$kernel_proc/kallsyms" >kernel.all &&
      grep -E ' (_[se]?text|_edata|_+entry_.*trampoline)$' kernel.all >kernel.few &&
      mv kernel.few kernel.record && mv kernel.all kernel.script
  } 2>/dev/null &
  kernel_pid=$!
}

# Waits for the files. If they could not be written, or if mounts are forbidden, perf reads /proc/kallsyms itself.
kernel_wait() {
  [[ -n $kernel_pid ]] || return 0
  wait "$kernel_pid"
  kernel_pid=''
  perf_can_hide || rm -f "$WORK"/kernel.*
}

# Lets perf script read /proc/kallsyms itself if modules were loaded or unloaded during the recording: the file lacks the symbols of
# the new ones, and where an old one was there may be another now. BPF programs come and go too, and their samples may be of any
# time, so their symbols from the beginning are as good as those from the end.
kernel_check() {
  [[ ${kernel_modules-} == "$(cat "$kernel_proc/modules" 2>/dev/null)" ]] || rm -f "$WORK/kernel.script"
}
