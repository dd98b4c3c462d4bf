# The shell half of snapshots: what the kernel and the runtime know about the node, as lines WHERE:CONTENT, which
# src/snapshot/snapshot.ts reads and interprets. Every line of a file has the file's path before it, so no command line and
# no file of a container can pass for that of another. Later questions (`--linger`) are names of empty files in $CTL.

ARGUMENT_TYPE[parts]='(processes|runtime|sockets|links|probe)(,(processes|runtime|sockets|links|probe)){0,4}'
ARGUMENT_TYPE[linger_ms]='0|[1-9][0-9]{0,9}'
COLLECTOR_ARGUMENTS[inspect]='parts linger_ms'
COLLECTOR_SCOPES[inspect]='node'
COLLECTOR_WORDS[inspect]=''

inspect_needs() {
  tools=(dd find grep gzip head timeout xargs)
  packages=()
  if [[ ,${arg[parts]}, == *,links,* ]]; then
    tools+=(ip)
    packages+=(iproute2)
  fi
}

# named NAME: prints the lines of standard input with the name before each.
named() { sed "s/^/$1:/"; }

# one_of_each KIND: sets members to one process of each namespace of this kind, so that what belongs to the namespace is read
# once. It is the process with the smallest pid, which usually lives longest.
one_of_each() {
  local path link
  local -A seen=()
  members=()
  while read -r path link; do
    [[ -z $link || -n ${seen[$link]-} ]] && continue # a process that has ended has no link
    path=${path#/proc/}
    # Files are read below the root of the process. If that of this one may not be read, that of another one perhaps may.
    [[ $1 != mnt || -e /proc/${path%%/*}/root/. ]] || continue
    seen[$link]=1
    members+=("${path%%/*}")
  done < <(find /proc/[0-9]*/ns/"$1" -maxdepth 0 -printf '%p %l\n' 2>/dev/null | sort -V)
}

# Prints each process. Its times are printed before and after the rest, because a pid may be reused in between. What the kernel
# writes comes first: command lines can be very long, and must not cost another process its line.
part_processes() {
  local -a pids=(/proc/[0-9]*) members
  local pid
  printf 'clock:%s\n' "$(getconf CLK_TCK)"
  grep -aHs -E '^(MemTotal:|btime |[0-9.]+ [0-9.]+$)' /proc/meminfo /proc/stat /proc/uptime
  grep_each '' "${pids[@]/%//stat}"
  grep_each '^(Uid|NSpid|VmRSS|VmLck):' "${pids[@]/%//status}"
  grep_each '' "${pids[@]/%//cgroup}"
  command_lines
  grep_each '' "${pids[@]/%//stat}"
  # The name of a user is the container's own, and in a user namespace its number is too (user_namespaces(7)).
  one_of_each user
  for pid in "${members[@]}"; do grep -aHs '' "/proc/$pid/uid_map"; done
  find /proc/[0-9]*/ns/{user,mnt} -maxdepth 0 -printf '%f:%p %l\n' 2>/dev/null
  timeout -k 1 10 bash -c "$(declare -f one_of_each read_passwd); read_passwd"
}

# grep_each PATTERN FILE…
grep_each() {
  local pattern=$1
  shift
  printf '%s\0' "$@" | xargs -0 grep -aHsE "$pattern"
}

# A command line is read whole if it is no longer than two of the longest possible arguments (MAX_ARG_STRLEN): those of debug
# pods of this tool have a script and a program. Of longer ones, and of long ones after the first 64, only the beginning is read.
long_command=4096 longest_command=262144 long_commands=64
command_lines() {
  local pid length
  local -a short=() long=()
  for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    process_stat "$pid" || continue
    length=$((process_stat[46] - process_stat[45])) # arg_end - arg_start
    if ((length > long_command)); then long+=("$pid:$length"); else short+=("/proc/$pid/cmdline"); fi
  done
  # A process whose memory is locked can hold up the reader of its command line: then those after it are missing.
  printf '%s\0' "${short[@]}" | timeout -k 1 30 xargs -0 grep -aHs ''
  ((PIPESTATUS[1] < 124 || PIPESTATUS[1] > 137)) || printf 'commands:cut\n'
  ((${#long[@]})) || return 0
  timeout -k 1 20 bash -c "$(declare -f long_command_lines); long_command_lines \"\$@\"" bash \
    "$long_command" "$longest_command" "$long_commands" "${long[@]}" || printf 'commands:cut\n'
}

# The path before every line of a command line counts towards the bound.
long_command_lines() {
  local pid
  local -i least=$1 longest=$2 many=$3 most at=0
  shift 3
  for pid in "$@"; do
    most=$((at++ < many ? longest : least))
    ((${pid#*:} <= most)) || printf 'command-bytes %d:%d\n' "${pid%:*}" "$most"
    pid=${pid%:*}
    head -c "$most" "/proc/$pid/cmdline" 2>/dev/null | grep -aHs --label="/proc/$pid/cmdline" '' | head -c "$((2 * most))"
    printf '\n'
  done
}

# Prints the names of users in every mount namespace. No link is followed: from here it would lead to files of the node. The
# parent of the folder is checked from inside the folder, where nobody can exchange it any more.
read_passwd() {
  local pid
  local -i most=131072
  local -a members
  one_of_each mnt
  for pid in "${members[@]}"; do
    cd "/proc/$pid/root/etc" 2>/dev/null || continue
    [[ .. -ef /proc/$pid/root && -f passwd && ! -L passwd ]] || continue
    [[ -z $(find passwd -size "+${most}c" 2>/dev/null) ]] || printf 'passwd-cut:%d\n' "$pid"
    dd if=passwd iflag=nofollow,nonblock,fullblock bs="$most" count=1 status=none 2>/dev/null |
      grep -aoHs --label="/proc/$pid/root/etc/passwd" -E '^[^:]*:[^:]*:[0-9]+:'
  done
}

# Prints what the runtime knows about its containers and sandboxes, if there is a crictl.
part_runtime() {
  find_node_root
  if ! find_runtime_socket; then
    printf 'crictl:no socket\n'
  elif ! find_crictl; then
    printf 'crictl:none\n'
  else
    run_crictl ps -a -o json 2>&1 | named crictl-ps
    run_crictl pods -o json 2>&1 | named crictl-pods
  fi
}

# Prints the sockets of every network namespace, and which processes have them open.
part_sockets() {
  local pid link round gone
  local -a files members
  local -A links whole=()
  # After pids were reused from the smallest on, the first process of a namespace may be a short-lived one. If it has ended
  # when its files were read, they are read again from another process of the namespace.
  for round in 1 2 3; do
    one_of_each net
    files=() links=() gone=''
    for pid in "${members[@]}"; do
      if ! link=$(readlink "/proc/$pid/ns/net"); then
        gone=1
        continue
      fi
      [[ -z ${whole[$link]-} ]] || continue
      links[$pid]=$link
      files+=("/proc/$pid/net/"{tcp,tcp6,udp,udp6})
    done
    [[ -n $gone || ${#files[@]} != 0 ]] || break
    grep -aHs '' "${files[@]}" </dev/null
    for pid in "${!links[@]}"; do
      [[ $(readlink "/proc/$pid/ns/net") != "${links[$pid]}" ]] || whole[${links[$pid]}]=1
    done
  done
  find /proc/[0-9]*/ns/net -maxdepth 0 -printf 'net:%p %l\n' 2>/dev/null
  find /proc/[0-9]*/fd -lname 'socket:*' -printf 'fd:%p %l\n' 2>/dev/null
}

# Prints the node's interfaces, each with the network namespace of its other end, by a name that is given to it here.
part_links() {
  local pid
  local -a members
  one_of_each net
  find /proc/[0-9]*/ns/net -maxdepth 0 -printf 'net:%p %l\n' 2>/dev/null
  mkdir -p "$NETNS_NAMES"
  for pid in "${members[@]}"; do ln -sfn "/proc/$pid/ns/net" "$NETNS_NAMES/gkeprof-$pid"; done
  ip -o link show | named links
  rm -f "$NETNS_NAMES"/gkeprof-*
}

# Prints which cgroups and which sources of events for perf the kernel has, and what decides whether it may be profiled.
part_probe() {
  # Without a volume the container may not see that cgroup v2 is mounted beside v1.
  printf 'cgroup:%s %s\n' "$(stat -fc %T /sys/fs/cgroup)" \
    "$(stat -fc %T /sys/fs/cgroup/unified 2>/dev/null || sed -n 's#^[^ ]* /sys/fs/cgroup/unified cgroup2 .*#cgroup2fs#p' /proc/1/mounts)"
  find /sys/bus/event_source/devices/ -mindepth 1 -maxdepth 1 -printf 'pmu:%f\n'
  [[ ! -e /sys/kernel/btf/vmlinux ]] || printf 'btf:yes\n'
  grep -aHs '' /proc/sys/kernel/{kptr_restrict,perf_event_paranoid}
}

# answer ID PART,PART…: takes a snapshot and gives the file its name when it is complete. The last line says that it is whole:
# a snapshot is cut at a bound, however much there is on the node (src/session/ask.ts has the same bound).
answer_bytes=$((64 << 20))
answer() {
  local part
  local -a parts
  IFS=, read -ra parts <<<"$2"
  {
    now_ms
    printf 'taken:%s\n' "$now"
    for part in "${parts[@]}"; do "part_$part"; done
    printf 'whole:yes\n'
  } 2>/dev/null | head -c "$answer_bytes" | gzip -1 >"$WORK/answer"
  # If the first command ended because the bound was reached, that is not a failure: the last line is missing then.
  ((PIPESTATUS[1] == 0 && PIPESTATUS[2] == 0)) || refuse answer-failed
  mv "$WORK/answer" "$OUT/answer-$1" || refuse answer-failed
}

inspect_run() {
  local -i until end
  local request id
  local -A answered=()
  answer first "${arg[parts]}"
  emit answered
  now_ms
  end=$((now + arg[duration_ms]))
  until=$((now + arg[linger_ms]))
  while [[ -z $end_reason ]]; do
    now_ms
    ((now < until && now < end)) || break
    for request in "$CTL"/ask-*; do
      request=${request##*/}
      [[ $request =~ ^ask-([0-9a-f]{16})\.((processes|runtime|sockets|links|probe)(,(processes|runtime|sockets|links|probe))*)$ ]] || continue
      id=${BASH_REMATCH[1]}
      [[ -n ${answered[$id]-} ]] && continue
      answered[$id]=1
      answer "$id" "${BASH_REMATCH[2]}"
      # A snapshot is read at once, so older ones are of no use any more.
      find "$OUT" -name 'answer-*' -mmin +1 -delete
      now_ms
      until=$((now + arg[linger_ms]))
    done
    pause 0.05
  done
  emit 'end' reason "${end_reason:-time}"
}
