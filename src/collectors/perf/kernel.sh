# The kernel's symbols, in files that perf reads fast. perf_apart puts one of them in the place of /proc/kallsyms, for perf alone.
#
# Before it records, perf record reads all of /proc/kallsyms up to three times, and uses only where the kernel's code begins and ends,
# and where x86 entered it before Linux 4.20 (perf: machine__get_running_kernel_start in util/machine.c, and
# arch/x86/util/machine.c). perf script sorts all of it, and half of the lines are `__pfx_` symbols: the padding before functions
# (Linux 6.2), which never runs. And the kernel makes each line when it is read. With 122,000 lines this was most of the CPU time
# of perf record's start, and half of that of perf script after a short recording. So the lines are read once, while the
# recording is prepared.

# Where procfs is: tests give another folder.
kernel_proc=/proc

# Prints the modules without how often each is in use, which changes all the time.
kernel_modules() {
  local name size address
  while read -r name size _ _ _ address _; do echo "$name $size $address"; done 2>/dev/null <"$kernel_proc/modules"
}

# Begins to write the files: kernel.script without the padding, and kernel.record, in a process of its own (kernel_pid). If it cannot
# write them, or if mounts are forbidden, perf reads /proc/kallsyms itself.
kernel_begin() {
  perf_can_hide || return 0
  kernel_had=$(kernel_modules)
  {
    cd "$WORK" && grep -vF ' __pfx_' "$kernel_proc/kallsyms" >all &&
      grep -E ' (_[se]?text|_edata|_+entry_.*trampoline)$' all >few &&
      mv few kernel.record && mv all kernel.script
    rm -f all few
  } 2>/dev/null &
  kernel_pid=$!
}

# Lets perf script read /proc/kallsyms itself if modules were loaded or unloaded during the recording: the file lacks the symbols of
# the new ones, and where an old one was there may be another now. BPF programs come and go too, and their samples may be of any
# time, so their symbols from the beginning are as good as those from the end.
kernel_check() {
  [[ $kernel_had == "$(kernel_modules)" ]] || rm -f "$WORK/kernel.script"
}
