# The way of eBPF: the unwinder of the image (image/unwinder) samples and walks the stacks in the kernel, names the functions
# at once, while their processes live, and writes what perf script would print.

# How long the unwinder may take until it samples. The kernel checks its programs first, which takes two seconds on a quiet
# machine, and ten times as long on a busy one.
perf_ebpf_ready_ms=90000
# The memory of an unwinder, in KiB.
perf_ebpf_kb=65536

# perf_ebpf_unwinder WORD…: becomes the unwinder. It learns of the end of processes by a tracepoint, whose number is in tracefs,
# which container runtimes do not mount.
perf_ebpf_unwinder() {
  # shellcheck disable=SC2016 # It is the inner shell's.
  exec unshare --mount --propagation private -- bash -c '
    [[ -e /sys/kernel/tracing/events ]] || mount -t tracefs -o ro,nosuid,nodev,noexec none /sys/kernel/tracing
    exec gkeprof-unwinder record "$@"' unwinder "$@"
}

# perf_ebpf_begins: starts the unwinder. The recording begins when it acknowledges `enable`. If the node chose this way, and
# the kernel does not run the unwinder, perf follows frame pointers instead; fails in this case.
perf_ebpf_begins() {
  local answer='' said=''
  local -i until
  perf_control
  now_ms
  until=$((now + perf_ebpf_ready_ms))
  : >"$OUT/samples.txt" # the unwinder would create a file that `files` cannot read
  start_tool perf_ebpf_unwinder --frequency "${arg[frequency]}" --cgroup "$cgroup_root/$watched_cgroup" \
    --output "$OUT/samples.txt" <&8 >&9 2>"$OUT/unwinder.log"
  printf 'enable\n' >&8
  while read -rt 0.05 -u 9 answer || :; said+=$answer; [[ $said != *ack* ]]; do
    now_ms
    tool_is_running && ((now < until)) && continue
    perf_kill
    [[ ${arg[stacks]} == auto ]] || tool_failed unwinder-failed unwinder.log
    perf_stacks=fp perf_stacks_why=ebpf-failed
    began=(stacks fp stacks_why ebpf-failed)
    return 1
  done
}

# The text is complete unless the unwinder was killed: then the last sample may be cut.
perf_ebpf_finish() {
  local whole=$OUT/samples.txt
  if ((tool_status)); then
    sed -n -e H -e '/^$/{x;s/^\n//;p;s/.*//;x}' "$whole" >"$WORK/whole.txt" || tool_failed unwinder-failed unwinder.log
    whole=$WORK/whole.txt
    [[ -s $whole ]] || tool_failed unwinder-failed unwinder.log
  fi
  gzip -c <"$whole" >"$WORK/perf-script.txt.gz" || refuse no-space
  mv "$WORK/perf-script.txt.gz" "$OUT/perf-script.txt.gz"
  rm -f "$OUT/samples.txt"
  counts=("${perf_cpu[@]}")
  # Its text has no cgroups.
  [[ -z ${arg[cgroups]-} ]] || counts+=(no_cgroups unwinder)
  announce stacks perf-script.txt.gz
}
