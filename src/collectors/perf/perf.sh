# The shell half of perf: CPU samples of a node, a pod or a container, or the waits of its threads.

ARGUMENT_TYPE[frequency]='[1-9][0-9]{0,4}'
ARGUMENT_TYPE[stacks]='auto|fp|dwarf|ebpf'
# The multiples of 8 from 8 to 65528, which are the sizes that perf takes. Whether a number is one, its last three digits tell.
ARGUMENT_TYPE[stack_bytes]='8|16|24|32|40|48|56|64|72|80|88|96|([2468]|([1-9]|[1-5][0-9]|6[0-4])[02468]|65[024])(00|08|16|24|32|40|48|56|64|72|80|88|96)|([13579]|([1-9]|[1-5][0-9]|6[0-4])[13579]|65[13])(04|12|20|28|36|44|52|60|68|76|84|92)|655(04|12|20|28)'
ARGUMENT_TYPE[cgroups]='1'
ARGUMENT_TYPE[off_cpu]='1'
ARGUMENT_TYPE[agree]='1'
COLLECTOR_ARGUMENTS[perf]='frequency stacks stack_bytes cgroups? off_cpu? agree?'
COLLECTOR_SCOPES[perf]='node|pod|container'
COLLECTOR_WORDS[perf]=''

perf_run() { capture_until_end; }

perf_needs() {
  tools=(perf gzip unshare mount)
  packages=(linux-perf util-linux mount)
}

# How long perf may stay in one pod's mount namespace: without any progress, and in all if other pods need names too. It may
# use half of the available memory, within these bounds. The names of Node.js, a program of 150 MB, take 190 MB, and perf
# needs as much for every program that was sampled.
perf_stuck_ms=10000 perf_slow_ms=60000
perf_least_kb=$((256 << 10)) perf_most_kb=$((4 << 20))
# Bytes of the largest map of a JIT compiler that is read. A large JVM writes 50 MB.
perf_map_bytes=$((256 << 20))
# No more threads are looked at than this in a recording of waits.
perf_most_threads=5000
# The processes whose files perf must not read.
perf_hidden=()
perf_stacks=fp
# What perf script prints besides, and why that is not the cgroups of a node.
perf_fields='' perf_no_cgroups=''
declare -A perf_hid_in=()

perf_version() { perf version; }

perf_prepare() {
  [[ ${arg[stacks]} == ebpf ]] || kernel_begin
  perf_scope=() watched_cgroup=.
  mount_cgroups || refuse no-cgroup-mount
  if [[ ${arg[scope]} == node ]]; then
    find_cgroup_root || cgroup_root=
    perf_ask_cgroups
  else
    find_cgroup_root || refuse no-cgroup-mount
    find_pod_cgroup || refuse pod-not-found
    watched_cgroup=$pod_cgroup
    if [[ ${arg[scope]} == container ]]; then
      find_container_cgroup "${arg[container_id]}" || refuse container-not-found
      watched_cgroup=$container_cgroup
    fi
    # A cgroup includes its descendants. perf needs the event before the cgroup, and all CPUs (-a).
    perf_scope=(--cgroup "$watched_cgroup")
    [[ -z ${arg[cgroups]-} ]] || perf_ask_cgroups
  fi
}

# perf_ask_cgroups: with the samples of a node, or of a pod if the plan says so, perf records the cgroup of each (Linux 5.7), and
# prints it (perf 6.9). Without either of them the target is recorded all the same, and the client says what is missing.
perf_ask_cgroups() {
  if [[ -z $cgroup_root ]]; then
    perf_no_cgroups=mount
  elif [[ $(perf script -F cgroup -i /dev/null 2>&1) == *'Invalid field'* ]]; then
    perf_no_cgroups=perf
  else
    perf_scope+=(--all-cgroups)
    perf_fields=,cgroup
  fi
}

# For names and build ids perf enters the mount namespace of each process that was running or sampled, and opens files
# there by their paths, as root (Linux tools/perf/util/namespaces.c, symbol.c, synthetic-events.c). A container can put
# anything there: a fifo, which holds perf up for ever, a link to /dev/zero, a file system that does not answer. So perf is
# watched from outside, and a pod that holds it up loses its own names, but no other pod does.
#
# perf_apart WORD…: becomes perf, in a mount namespace of its own in which the hidden processes are not in /proc, and
# /proc/kallsyms is the file for this subcommand, if there is one (kernel.sh). perf takes a process that is not in /proc for
# ended, and enters no namespace for it (nsinfo__init).
perf_apart() {
  local kernel=$WORK/kernel.$1
  ulimit -d "$perf_memory_kb"
  [[ -s $kernel ]] || kernel=''
  [[ -n $kernel${perf_hidden[*]} ]] || exec perf "$@"
  # shellcheck disable=SC2016 # It is the inner shell's.
  exec unshare --mount --propagation private -- bash -c '
    readlink "/proc/$$/ns/mnt" >"$1"
    [[ -z $2 ]] || mount --bind "$2" /proc/kallsyms 2>/dev/null
    read -ra hidden <"$3"
    for pid in "${hidden[@]}"; do
      mount -t tmpfs -o ro,size=4k none "/proc/$pid" || [[ ! -e /proc/$pid ]] || exit 125
    done
    shift 3
    exec perf "$@"' perf "$WORK/perf.home" "$kernel" <(printf '%s ' "${perf_hidden[@]}") "$@"
}

# Whether processes can be hidden. A security module may forbid mounts: then a pod that holds perf up ends the recording.
perf_can_hide() {
  [[ -n ${perf_hides-} ]] ||
    if unshare --mount --propagation private -- mount -t tmpfs none "/proc/$$" 2>/dev/null; then perf_hides=1; else perf_hides=0; fi
  ((perf_hides))
}

# Prints the available memory of the node, in KiB.
perf_spare_kb() {
  local key count
  while read -r key count _; do [[ $key != MemAvailable: ]] || echo "$count"; done </proc/meminfo
}

# perf_watch HOW_MANY LEAST: resets what perf_look knows; to be called before each start of perf. So many share the memory, and
# each may use so many KiB in any case.
perf_watch() {
  : "${perf_own_home:=$(readlink /proc/self/ns/mnt)}" "${perf_page_kb:=$(($(getconf PAGESIZE) / 1024))}"
  perf_home=$perf_own_home
  perf_place='' perf_culprit='' perf_problem=''
  perf_data=0
  perf_grown=()
  : >"$WORK/perf.home"
  perf_memory_kb=$(($(perf_spare_kb) / 2 / $1))
  ((perf_memory_kb >= $2)) || perf_memory_kb=$2
  ((perf_memory_kb <= perf_most_kb)) || perf_memory_kb=$perf_most_kb
}
declare -A perf_grown=()

# perf_look: checks in which mount namespace perf is, and whether it makes progress. Fails if perf must be ended, with the
# reason in perf_problem, and in perf_culprit the mount namespace that is the cause, if there is one.
perf_look() {
  local place progress rchar
  local -i data at
  local -a stat
  place=$(readlink "/proc/$tool_pid/ns/mnt") || return 0
  # The name in this file has no blanks: it is perf or bash.
  { read -ra stat <"/proc/$tool_pid/stat" && read -r _ _ _ _ _ data _ <"/proc/$tool_pid/statm" &&
    read -r _ rchar <"/proc/$tool_pid/io"; } 2>/dev/null || return 0
  progress="${stat[11]} ${stat[13]} ${stat[14]} $rchar" # major faults, time in user and kernel mode, bytes read
  read -r perf_home <"$WORK/perf.home" || perf_home=$perf_own_home
  now_ms
  if [[ $place == "$perf_home" ]]; then
    perf_place=''
  elif [[ $place != "$perf_place" ]]; then
    perf_place=$place perf_since=$now perf_moved=$now perf_progress=$progress
  fi
  if [[ -n $perf_place ]]; then
    ((data <= perf_data)) || perf_grown[$place]=$((${perf_grown[$place]-0} + data - perf_data))
    [[ $progress == "$perf_progress" ]] || perf_moved=$now
    perf_progress=$progress
    if ((now - perf_moved >= perf_stuck_ms)); then
      perf_problem='stuck' perf_culprit=$place
      return 1
    fi
    # If only one pod is profiled, it may take all the time that there is.
    if [[ ${arg[scope]} == node ]] && ((now - perf_since >= perf_slow_ms)); then
      perf_problem='slow' perf_culprit=$place
      return 1
    fi
  fi
  perf_data=$data
  # If perf cannot get memory, it leaves names out without an error, and its status is 0: so it is ended before that.
  if ((8 * data * perf_page_kb >= 7 * perf_memory_kb)); then
    perf_problem='memory'
    at=0
    [[ ${arg[scope]} == node ]] && for place in "${!perf_grown[@]}"; do
      ((${perf_grown[$place]} > at)) && at=${perf_grown[$place]} perf_culprit=$place
    done
    return 1
  fi
}

# perf_pod_of PID: sets perf_pod to the UID of the process's pod, by its cgroup. The cgroups that a container makes are below
# its pod's, so the first match counts. No name of a cgroup has a line feed (Linux, cgroup_mkdir).
perf_pod_of() {
  local text
  perf_pod=''
  text=$(cat "/proc/$1/cgroup" 2>/dev/null)
  [[ $text =~ [/-]pod([0-9a-f]{8}[-_][0-9a-f_-]{27}|[0-9a-f]{32})(\.slice)?($'\n'|/|$) ]] && perf_pod=${BASH_REMATCH[1]}
}

# perf_hide NAMESPACE: hides all processes in that mount namespace from now on. With the second namespace of the same pod, the
# whole pod is hidden, because it could make any number of them. Fails if there is no process to hide.
perf_hide() {
  local path link pid pod
  local -i before=${#perf_hidden[@]}
  local -A links=() known=() pods=()
  perf_can_hide || return 1
  for pid in "${perf_hidden[@]}"; do known[$pid]=1; done
  while read -r path link; do
    pid=${path#/proc/}
    links[${pid%%/*}]=$link
  done < <(find /proc/[0-9]*/ns/mnt -maxdepth 0 -printf '%p %l\n' 2>/dev/null)
  for pid in "${!links[@]}"; do
    [[ ${links[$pid]} == "$1" && -z ${known[$pid]-} ]] || continue
    known[$pid]=1
    perf_hidden+=("$pid")
    perf_pod_of "$pid" && pods[$perf_pod]=1
  done
  for pod in "${!pods[@]}"; do
    perf_hid_in[$pod]=$((${perf_hid_in[$pod]-0} + 1))
    ((perf_hid_in[$pod] >= 2)) || continue
    for pid in "${!links[@]}"; do
      [[ -z ${known[$pid]-} ]] && perf_pod_of "$pid" && [[ $perf_pod == "$pod" ]] && perf_hidden+=("$pid")
    done
  done
  ((${#perf_hidden[@]} > before))
}

# Hides the processes whose map of a JIT compiler is not a plain file or is too large, so that perf is not held up by it first.
# No link in their /tmp is followed: from here it would lead to another file than from inside the container.
perf_hide_bad_maps() {
  local line pid mode size
  local -a paths=()
  while read -r line; do
    pid=${line#/proc/}
    pid=${pid%%/*}
    [[ /proc/$pid/ns/mnt -ef /proc/self/ns/mnt ]] || paths+=("/proc/$pid/root/tmp/perf-${line##*[[:blank:]]}.map")
  done < <(grep -Hs '^NStgid:' /proc/[0-9]*/status)
  perf_can_hide || return 0
  while read -r mode size line; do
    pid=${line#/proc/}
    pid=${pid%%/*}
    (((16#$mode & 0xf000) == 0x8000 && size <= perf_map_bytes)) && continue
    [[ " ${perf_hidden[*]} " == *" $pid "* ]] || perf_hidden+=("$pid")
  done < <(printf '%s\0' "${paths[@]}" | timeout -k 1 10 xargs -0r stat -c '%f %s %n' 2>/dev/null)
}

# The raw file is where `files` can read it, so it is not lost if this container dies.
# Without --no-bpf-event perf records a second longer than asked. With --buildid-mmap the file has build ids, so a program
# that ended or was replaced gives unknown frames, never the names of another program.
perf_start() {
  local -i until
  perf_choose_stacks
  now_ms
  perf_asked=$now
  until=$((now + 60000))
  until perf_begins; do
    now_ms
    # A kernel without cgroups in its samples refuses the event. If it has another reason, the next try fails as well.
    if [[ -n $perf_fields && -z $perf_problem ]] && grep -qs 'Invalid argument' "$OUT/perf.log"; then
      unset 'perf_scope[-1]'
      perf_fields='' perf_no_cgroups=kernel
      continue
    fi
    if ((now >= until)) || [[ -z $perf_culprit ]] || ! perf_hide "$perf_culprit"; then tool_failed perf-failed perf.log; fi
  done
  now_ms
  perf_late=$((now - perf_asked))
  perf_look_at_threads start
  [[ $perf_stacks == ebpf ]] || harvest_begin
  perf_read_cpu
  keep_cpu_counters
}

# Reads the counters of the target (node/cpu.sh).
perf_read_cpu() {
  read_cpu_counters "$watched_cgroup" "${pod_cgroup-}"
  [[ $watched_cgroup == . ]] || read_threads "$watched_cgroup"
}

# Sets perf_cpu to what the kernel counted during the recording.
perf_count_cpu() {
  perf_read_cpu
  count_cpu "$watched_cgroup" "${pod_cgroup-}"
  perf_cpu=("${cpu_counts[@]}")
}

# perf_look_at_threads start|end: what the threads of the target do (look.pl), in a recording of waits. The kernel may hold up who reads
# the stack of a process, such as while it is replaced by a program of a network file system that hangs: so the time is limited, and
# what was written by then is used.
perf_look_at_threads() {
  [[ -n ${arg[off_cpu]-} ]] && type -P perl >/dev/null || return 0
  harvest_write
  timeout -s KILL 3 perl "$WORK/harvest.pl" look "$1" "$HOSTTYPE" "$cgroup_root/$watched_cgroup" "${perf_fields:+$cgroup_root}" "${arg[container_ids]-}" \
    "$perf_most_threads" /proc >"$WORK/look.$1" 2>>"$OUT/look.log" </dev/null
}

# Whether perf ended by itself, or by a signal that lets it write what it has.
perf_has_written() { ((tool_status <= 128 || tool_status == 130 || tool_status == 143)); }

# Puts the looks behind the samples. If the last samples are missing, a thread that slept before them would seem to sleep until the end.
perf_add_looks() {
  local -a looks_there=("$WORK/look.start")
  [[ -s ${looks_there[0]} ]] || return 0
  if [[ -z $perf_problem ]] && perf_has_written; then looks_there+=("$WORK/look.end"); fi
  cat "${looks_there[@]}" | gzip -c >>"$WORK/perf-script.txt.gz"
}

# Makes the pipes by which perf and the unwinder are told what to do, and answer: the file descriptors 8 and 9.
perf_control() {
  rm -f "$WORK/perf.control" "$WORK/perf.answer"
  mkfifo "$WORK/perf.control" "$WORK/perf.answer"
  exec 8<>"$WORK/perf.control" 9<>"$WORK/perf.answer"
}

# Starts perf. The recording begins when perf acknowledges `enable`, not when perf was started.
perf_begins() {
  local answer='' said=''
  local -i until
  local -a sampling=(-F "${arg[frequency]}") events=(-e cycles)
  # --off-cpu of perf is ignored where perf was built without BPF, as by Debian. A cgroup sees only that its threads leave a
  # CPU: sched_switch has the stack and the state. The clock of the group runs while one of them is on this CPU, so it tells for
  # how long the thread was there. perf (6.12) does not let a tracepoint and a clock be one group.
  # The looks at the threads need a clock that others can read too.
  [[ -z ${arg[off_cpu]-} ]] || sampling=(-m 2M -k CLOCK_MONOTONIC) \
    events=(--event sched:sched_switch --event '{context-switches/call-graph=no,period=1/,cpu-clock}:S')
  if [[ $perf_stacks == ebpf ]] && perf_ebpf_begins; then return; fi
  perf_control
  perf_data_at=0
  [[ -z $kernel_pid ]] || wait "$kernel_pid"
  : >"$OUT/perf.data" # perf would create a file that `files` cannot read
  # perf record needs 5 MB for 200 processes.
  perf_watch "$recorders" $((perf_least_kb / (recorders > 1 ? 4 : 1)))
  start_tool perf_apart record --no-bpf-event --buildid-mmap "${sampling[@]}" --call-graph "$perf_call_graph" -a "${events[@]}" "${perf_scope[@]}" \
    --control=fd:8,9 -D -1 -o "$OUT/perf.data" >"$OUT/perf.log" 2>&1 </dev/null
  printf 'enable\n' >&8
  now_ms
  until=$((now + 30000))
  # On a busy node a read can time out in the middle of the word: the part that came is kept.
  while read -rt 0.05 -u 9 answer || :; said+=$answer; [[ $said != *ack* ]]; do
    now_ms
    if ! tool_is_running || ((now >= until)) || ! perf_look; then
      perf_kill
      return 1
    fi
  done
}

# Kills perf. If the kernel does not let it end, nobody waits for it longer than five seconds.
perf_kill() {
  local -i until
  kill -KILL "$tool_pid" 2>/dev/null
  now_ms
  until=$((now + 5000))
  while tool_is_running && ((now < until)); do
    tool_pause 0.02
    now_ms
  done
  tool_is_running || wait "$tool_pid" 2>/dev/null
}

perf_bytes() {
  if [[ $perf_stacks == ebpf ]]; then
    bytes=$(stat -c %s "$OUT/samples.txt" 2>/dev/null) || bytes=0
    return
  fi
  bytes=$(stat -c %s "$OUT/perf.data" 2>/dev/null) || bytes=0
  [[ $bytes == "${perf_mended-0}" ]] || perf_mend
}

# perf writes the length of its data only when it ends; after a kill the length is missing, and nothing can read the file. So
# it is written here, whenever the file has grown and after perf was killed. In struct perf_file_header the start of the
# data is at byte 40 and its length at byte 48, eight bytes each, little-endian on every architecture that runs this.
perf_mend() {
  local field=
  local -i at length
  perf_mended=$bytes
  ((bytes > 56)) || return 0
  # perf does not change it any more, and this is done every second.
  ((${perf_data_at:-0} > 0)) || perf_data_at=$(od -An -tu8 -j40 -N8 "$OUT/perf.data")
  length=$((bytes - perf_data_at))
  ((perf_data_at > 0 && length > 0)) || return 0
  for ((at = 0; at < 64; at += 8)); do printf -v field '%s\\x%02x' "$field" $((length >> at & 255)); done
  printf '%b' "$field" | dd of="$OUT/perf.data" bs=1 seek=48 conv=notrunc status=none
}

# perf keeps samples until its buffers are half full; a ping makes it write them. The answers are read, because perf would
# wait if the pipe were full.
perf_counts() {
  local answer
  counts=()
  printf 'ping\n' >&8
  while read -rt 0.001 -u 9 answer; do :; done
}

perf_stop() {
  perf_look_at_threads 'end'
  printf 'stop\n' >&8 2>/dev/null
  perf_count_cpu
  [[ $perf_stacks == ebpf ]] || perf_hide_bad_maps
  tool_ends 20
}

# perf script runs on the node and at once, while the processes still live and their files can be found (hostPID lets perf
# enter their mount namespaces). Inlined frames are not expanded, because that can take longer than the capture.
perf_finish() {
  local -i until round
  if [[ $perf_stacks == ebpf ]]; then
    perf_ebpf_finish
    return
  fi
  [[ -s $OUT/perf.data ]] || tool_failed perf-failed perf.log
  perf_has_written || perf_bytes
  # This is within the time that the plan allows for a capture and its end (captureSeconds in src/plan/plan.ts).
  now_ms
  until=$((now + arg[duration_ms] + 240000 - perf_late))
  harvest_ask
  harvest_fill
  for ((round = 0; round < 20; round++)); do
    if perf_script "$until" || [[ -z $perf_culprit ]] || ! perf_hide "$perf_culprit"; then break; fi
  done
  counts=("${perf_cpu[@]}" "${harvest_counts[@]}")
  ((${#perf_hidden[@]} == 0)) || counts+=(unnamed: "${#perf_hidden[@]}")
  [[ -z $perf_problem ]] || counts+=(cut "$perf_problem")
  [[ -z $perf_no_cgroups ]] || counts+=(no_cgroups "$perf_no_cgroups")
  if [[ -n $perf_problem ]] && ! perf_trim; then
    # perf script printed nothing before it was ended, but the samples themselves are here.
    announce samples perf.data
    return
  fi
  [[ ! -s $WORK/not-read ]] || gzip -c "$WORK/not-read" >>"$WORK/perf-script.txt.gz"
  perf_add_looks
  [[ ! -s $WORK/unnamed ]] || gzip -c "$WORK/unnamed" >>"$WORK/perf-script.txt.gz"
  # The containers of other pods are no business of a pod's profile, and the client knows those of this one.
  [[ -z $perf_fields || ${arg[scope]} != node ]] || perf_container_names | gzip -c >>"$WORK/perf-script.txt.gz"
  mv "$WORK/perf-script.txt.gz" "$OUT/perf-script.txt.gz"
  announce stacks perf-script.txt.gz
  rm -f "$OUT/perf.data"
}
