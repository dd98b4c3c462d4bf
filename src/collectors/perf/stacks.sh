# How the callers of a sampled function are found: perf follows frame pointers (fp); or it copies a part of the stack with each
# sample, and perf script walks that by the programs' unwind tables (dwarf); or the unwinder of the image does it in the
# kernel (ebpf, in ebpf.sh). src/profile/unwinding.ts has the words for the ways and for the reasons.

# perf_choose_stacks: sets perf_stacks to the way, and perf_call_graph to perf's argument for it. If the client leaves the choice
# to the node, perf_stacks_why is the reason.
perf_choose_stacks() {
  perf_stacks=${arg[stacks]} perf_stacks_why='' perf_call_graph=fp
  case $perf_stacks in
    ebpf) type -P gkeprof-unwinder >/dev/null || refuse no-unwinder ;;
    auto) perf_look_at_programs ;;
  esac
  [[ $perf_stacks != dwarf ]] || perf_call_graph=dwarf,${arg[stack_bytes]}
  began=(stacks "$perf_stacks")
  [[ -z $perf_stacks_why ]] || began+=(stacks_why "$perf_stacks_why")
}

# The unwinder of the image looks at the programs of the scope: whether there are interpreters and compilers at run time, and
# whether native functions, those of libraries too, set up frame pointers. It reads files of the containers, which may be huge or
# slow, so its time is bounded. Without its answer the stacks are those that perf has always recorded.
perf_look_at_programs() {
  local answer=''
  local -a scope=(--node)
  perf_stacks=fp
  if ! type -P gkeprof-unwinder >/dev/null; then
    perf_stacks_why=no-unwinder
    return
  fi
  [[ ${arg[scope]} == node ]] || scope=("$cgroup_root/$watched_cgroup")
  read -r answer < <(timeout -k 1 20 gkeprof-unwinder look "${scope[@]}" 2>"$OUT/look.log" </dev/null)
  if [[ ! $answer =~ ^way=(fp|dwarf|ebpf)\ why=([a-z-]+)$ ]]; then
    perf_stacks_why=look-failed
    return
  fi
  perf_stacks=${BASH_REMATCH[1]} perf_stacks_why=${BASH_REMATCH[2]}
  # The image may be newer than this script, and the client would not know a new word.
  [[ $perf_stacks_why =~ ^(frame-pointers|no-frame-pointers|libraries|interpreter|jit|no-bpf|no-processes|whole-node)$ ]] || perf_stacks_why=unwinder
  # Each recorder of the pod has an unwinder of its own, and all together get a quarter of the memory.
  if [[ $perf_stacks == ebpf ]] && ((recorders > 1 && recorders * perf_ebpf_kb > $(perf_spare_kb) / 4)); then
    perf_stacks=fp perf_stacks_why=no-memory
  fi
  # A recording that ends early because of its size is worth less than one with stacks that end early.
  if [[ $perf_stacks == dwarf ]] && ! perf_copies_fit; then perf_stacks=fp perf_stacks_why=too-large; fi
}

# Whether scratch has room for the copies of stacks if the target keeps all CPUs busy that it may use, and perf_finish time to
# walk them. A sample without its copy takes about 330 bytes, as in src/plan/dwarf-size.ts. perf script needed 0.1 to 0.5 ms for
# a sample of Redis, and more for large programs.
perf_copies_fit() {
  local -i cpus samples room
  perf_cpus
  samples=$((arg[frequency] * cpus * arg[duration_ms] / 1000000))
  free_space
  room=$((free_percent > 0 ? free_bytes * (free_percent - arg[min_free_percent]) / free_percent : 0))
  room=$((room / recorders))
  ((room <= arg[max_bytes])) || room=${arg[max_bytes]}
  ((samples * (arg[stack_bytes] + 330) <= room && 2 * samples <= arg[duration_ms] + 240000))
}

# Sets cpus to the thousandths of CPUs that the target may use: those of the node, or its limit if that is less.
perf_cpus() {
  local directory type options rest quota period limits=$cgroup_root
  cpus=$((1000 * $(getconf _NPROCESSORS_ONLN)))
  [[ ${arg[scope]} != node ]] || return 0
  while read -r _ directory type options rest; do
    [[ $type == cgroup && ,$options, == *,cpu,* && -d $directory/$watched_cgroup ]] && limits=$directory
  done </proc/self/mounts
  { read -r quota period <"$limits/$watched_cgroup/cpu.max" ||
    { read -r quota <"$limits/$watched_cgroup/cpu.cfs_quota_us" &&
      read -r period <"$limits/$watched_cgroup/cpu.cfs_period_us"; }; } 2>/dev/null
  # `max` and -1 mean that there is no limit.
  [[ $quota =~ ^[1-9][0-9]*$ && $period =~ ^[1-9][0-9]*$ ]] || return 0
  ((1000 * quota / period >= cpus)) || cpus=$((1000 * quota / period))
}
