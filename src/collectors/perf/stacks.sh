# How the callers of a sampled function are found: perf follows frame pointers (fp); or it copies a part of the stack with each
# sample, and perf script walks that by the programs' unwind tables (dwarf); or the unwinder of the image does it in the
# kernel (ebpf, in ebpf.sh). src/profile/unwinding.ts has the words for the ways and for the reasons.

# perf_choose_stacks: sets perf_stacks to the way, and perf_call_graph to perf's argument for it. If the client leaves the choice
# to the node, perf_stacks_why is the reason.
perf_choose_stacks() {
  perf_stacks=${arg[stacks]} perf_stacks_why='' perf_call_graph=fp
  case $perf_stacks in
    ebpf) type -P gkeprof-unwinder >/dev/null || refuse no-unwinder ;;
    auto)
      perf_look_at_programs
      perf_agree
      ;;
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
  if [[ $perf_stacks == ebpf ]] && ! perf_unwinders_fit; then perf_stacks=fp perf_stacks_why=no-memory; fi
  # A recording that ends early because of its size is worth less than one with stacks that end early.
  if [[ $perf_stacks == dwarf ]] && ! perf_copies_fit; then perf_stacks=fp perf_stacks_why=too-large; fi
}

# How long the client may take to say in which way all targets of the command are recorded. It waits for the other nodes too.
perf_agree_ms=10000

# perf_agree: profiles can be compared only if their stacks were walked in the same way. So the recorders of the debug pod wait for
# each other, and take the best way that one of them needs if it is possible for all of them. If there are other debug pods, the
# client decides by what each of them needs, and its answer is the name of a file. Where the best way is not possible for all,
# each recorder keeps the best one that it has.
perf_agree() {
  local answer way why can ways=fp
  local -A reasons=()
  local -i until
  ((recorders > 1)) || [[ -n ${arg[agree]-} ]] || return 0
  for way in dwarf ebpf; do ! perf_can "$way" || ways+=,$way; done
  printf '%s %s %s\n' "$perf_stacks" "$perf_stacks_why" "$ways" >"$WORK/wish.new"
  mv "$WORK/wish.new" "$WORK/wish"
  perf_others_looked
  can=$ways
  for answer in "$SHARED"/[0-9]*/wish "$SHARED/wish"; do
    read -r way why ways 2>/dev/null <"$answer" || continue
    reasons[$way]=$why
    [[ $ways == *dwarf* ]] || can=${can/,dwarf/}
    [[ $ways == *ebpf* ]] || can=${can/,ebpf/}
  done
  for way in ebpf dwarf fp; do [[ -z ${reasons[$way]-} ]] || break; done
  perf_take "$way" "$can"
  [[ -n ${arg[agree]-} ]] || return 0
  emit looked wants "$way" why "${reasons[$way]}" can "$can"
  now_ms
  until=$((now + perf_agree_ms))
  while ((now < until)) && [[ $end_reason != terminated ]]; do
    for answer in fp dwarf ebpf own; do
      [[ -e $CTL/stacks-$answer ]] || continue
      perf_take "$answer" "$can"
      return
    done
    pause 0.05
    now_ms
  done
}

# perf_take WAY CAN: takes a way that others need, if it is among those that are possible.
perf_take() {
  [[ $1 != "$perf_stacks" && ,$2, == *,$1,* ]] || return 0
  perf_stacks=$1 perf_stacks_why=others
}

# perf_can WAY: whether this recorder could walk stacks in this way.
perf_can() {
  case $1 in
    dwarf) perf_copies_fit ;;
    ebpf)
      [[ ${arg[scope]} != node && $perf_stacks_why != no-bpf ]] && type -P gkeprof-unwinder >/dev/null && perf_unwinders_fit
      ;;
  esac
}

# Waits until each recorder of the pod has looked at its programs, or has ended.
perf_others_looked() {
  local -i until number left
  now_ms
  until=$((now + 25000))
  while ((now < until)) && [[ $end_reason != terminated ]]; do
    left=0
    for ((number = 1; number <= recorders; number++)); do
      ((recorders == 1)) || [[ -e $SHARED/$number/wish || -e ${OUT%/*}/$number/done ]] || left+=1
    done
    ((left)) || return 0
    pause 0.05
    now_ms
  done
}

# Each recorder of the pod has an unwinder of its own, and all together get a quarter of the memory.
perf_unwinders_fit() { ((recorders == 1 || recorders * perf_ebpf_kb <= $(perf_spare_kb) / 4)); }

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
