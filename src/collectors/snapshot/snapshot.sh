# What is on the node, as lines WHERE:CONTENT of what the kernel and the runtime say, taken for one question and read by
# src/snapshot/snapshot.ts. Nothing is judged here. Every line of a file has its path before it, so no command line and
# no file of a container can pass for another's. Later questions (`--linger`) come as names in $CTL, which hold no data.

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

# Lines of standard input with a name before each.
named() { sed "s/^/$1:/"; }

# One process of each namespace of a kind, so that what is the namespace's is read once: the first one, which stays.
one_of_each() {
  local path link
  local -A seen=()
  members=()
  while read -r path link; do
    [[ -z $link || -n ${seen[$link]-} ]] && continue # a process that is gone has none
    path=${path#/proc/}
    # What is read of mounts is below the root: one that is not ours to look into, perhaps another one's is.
    [[ $1 != mnt || -e /proc/${path%%/*}/root/. ]] || continue
    seen[$link]=1
    members+=("${path%%/*}")
  done < <(find /proc/[0-9]*/ns/"$1" -maxdepth 0 -printf '%p %l\n' 2>/dev/null | sort -V)
}

# Each process: its times before and after the rest, since a pid may be another's by then. What the kernel writes of
# all of them comes first; command lines are as long as their processes like, and cost no other process its line.
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
  # What a user is called is the container's own word, and in a user namespace its number is, too (user_namespaces(7)).
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

# The longest command line that is read whole is one argument at its longest (MAX_ARG_STRLEN); of more than so many long ones
# and of what is longer still, the beginning.
long_command=4096 longest_command=131072 long_commands=64
command_lines() {
  local pid length
  local -a short=() long=()
  for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    process_stat "$pid" || continue
    length=$((process_stat[46] - process_stat[45])) # arg_end - arg_start
    if ((length > long_command)); then long+=("$pid:$length"); else short+=("/proc/$pid/cmdline"); fi
  done
  # A process whose memory is locked can hold up whoever reads its command line: those behind it have none then.
  printf '%s\0' "${short[@]}" | timeout -k 1 30 xargs -0 grep -aHs ''
  ((PIPESTATUS[1] < 124 || PIPESTATUS[1] > 137)) || printf 'commands:cut\n'
  ((${#long[@]})) || return 0
  timeout -k 1 20 bash -c "$(declare -f long_command_lines); long_command_lines \"\$@\"" bash \
    "$long_command" "$longest_command" "$long_commands" "${long[@]}" || printf 'commands:cut\n'
}

# Every line of a command line gets its path before it, which is counted, too.
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

# The names of users in every mount namespace. No link is followed: it would be read as one of ours, and lead to files
# of the node's. The folder's parent is looked at from within, where nobody can change it any more.
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

# What the runtime says of its containers and sandboxes, where a crictl is to be had.
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

# Sockets of every network namespace, and who holds them open.
part_sockets() {
  local pid link round gone
  local -a files members
  local -A links whole=()
  # Where pids have begun anew at the smallest, the first process of a namespace may be a short one: whatever is gone when its
  # files were read is asked for again, of another one.
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

# The node's interfaces, each with the network namespace of its other end by the name that it is given here.
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

# What the kernel has for whoever measures.
part_probe() {
  printf 'cgroup:%s %s\n' "$(stat -fc %T /sys/fs/cgroup)" "$(stat -fc %T /sys/fs/cgroup/unified 2>/dev/null)"
  find /sys/bus/event_source/devices/ -mindepth 1 -maxdepth 1 -printf 'pmu:%f\n'
}

# answer ID PART,PART…: takes a snapshot; it is there when its name is. Its last line says that it is whole: whatever
# there is on a node, nobody has to read more than this (src/session/ask.ts has the same bound).
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
  # What ended because nobody wants more is no failure, and is seen by the last line.
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
      # A snapshot is read at once: those before are of no use to anybody.
      find "$OUT" -name 'answer-*' -mmin +1 -delete
      now_ms
      until=$((now + arg[linger_ms]))
    done
    pause 0.05
  done
  emit 'end' reason "${end_reason:-time}"
}
