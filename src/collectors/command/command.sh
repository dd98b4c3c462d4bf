# The shell half of crictl and shells: a command that a user watches. Without a terminal, its output goes to files that the
# client reads through `files` while they grow, so the container's log has none of it. With a terminal (`kubectl attach`), the
# command uses the container's own.

ARGUMENT_TYPE[rights]='read|any'
ARGUMENT_TYPE[pod_word]='[0-9]|[1-9][0-9]{1,2}'
ARGUMENT_TYPE[tty]='[01]'
ARGUMENT_TYPE[label]='[a-z0-9][a-z0-9.-]{0,252}'
ARGUMENT_TYPE[enter]='(net|pid|mnt|ipc|uts)(,(net|pid|mnt|ipc|uts)){0,4}'
COLLECTOR_ARGUMENTS[crictl]='rights pod_word? tty'
COLLECTOR_ARGUMENTS[shell]='label enter? tty'
COLLECTOR_SCOPES[crictl]='node'
COLLECTOR_SCOPES[shell]='node'
# These are the words of crictl that change nothing (cri-tools cmd/crictl/main.go). With `rights=any` it takes all words, as a
# shell does.
COLLECTOR_WORDS[crictl]='((-t|--timeout)\n[0-9.a-z]{1,20}\n|--timeout=[0-9.a-z]{1,20}\n|(-D|--debug|-h|--help|-v|--version)\n)*((completion|events|help|imagefsinfo|images|info|inspect|inspecti|inspectp|logs|metricsp|pods|ps|runtime-config|stats|statsp|version)\n([^\n]*\n)*)?'
COLLECTOR_WORDS[shell]='([^\n]*\n)*'

subcommand=''

crictl_needs() { tools=(grep nsenter) packages=(util-linux); }

crictl_run() {
  local -a command=("${tool_args[@]}")
  find_node_root
  find_runtime_socket || refuse no-runtime-socket
  find_crictl || refuse no-crictl
  find_crictl_subcommand
  if [[ -n ${arg[pod_word]-} ]]; then
    # The id goes to the place that the client left empty, and to no other.
    if ((arg[pod_word] >= ${#command[@]})) || [[ -n ${command[arg[pod_word]]} ]]; then refuse bad-argument; fi
    ready_sandbox || refuse pod-not-found
    command[arg[pod_word]]=$sandbox
  fi
  command=("$crictl" --config /dev/null --runtime-endpoint "unix://$runtime_socket" "${command[@]}")
  # The command as one would type it on the node.
  printf '%q ' "${command[@]//"$node_root"/}" >"$OUT/command"
  # crictl reads logs by their paths on the node, so it runs in the node's mount namespace. The image's own files are reached
  # there through /proc.
  [[ $subcommand == logs ]] && command=(nsenter "--mount=${node_root%/root}/ns/mnt" -- "${command[@]/#\/usr\//"/proc/$$/root/usr/"}")
  run_attached "${command[@]}"
}

# Sets subcommand: the first word that is neither a global flag nor the value of one.
find_crictl_subcommand() {
  local word skip=
  subcommand=
  for word in "${tool_args[@]}"; do
    case $skip$word in
      -t | --timeout) skip=value-of: ;;
      value-of:*) skip= ;;
      -*) ;;
      *)
        subcommand=$word
        return
        ;;
    esac
  done
}

# Sets sandbox to the id of the pod's ready sandbox, as the runtime knows it now.
ready_sandbox() {
  local uid
  local -a uids
  IFS=, read -ra uids <<<"${arg[pod_uid]}"
  for uid in "${uids[@]}"; do
    sandbox=$(run_crictl pods --quiet --no-trunc --state ready --label "io.kubernetes.pod.uid=$uid" 2>/dev/null | head -n1)
    [[ -n $sandbox ]] && return
  done
  return 1
}

shell_needs() { tools=(nsenter setsid stty) packages=(util-linux coreutils); }

shell_run() {
  local kind
  local -a command=("${tool_args[@]}") enter=() mount=()
  find_node_root
  if find_runtime_socket; then export CONTAINER_RUNTIME_ENDPOINT=unix://$runtime_socket; fi
  export NODE_ROOT=$node_root HOME=/root
  export PS1="gkeprof:${arg[label]} \w \$ "
  ((${#command[@]})) || command=(bash --norc -i)
  if [[ -n ${arg[enter]-} ]]; then
    find_cgroup_root || refuse no-cgroup-mount
    find_pod_cgroup || refuse pod-not-found
    open_pod_netns || refuse "$netns_problem"
    # The namespaces are those of one process of the container; the network's was checked, and is entered by its descriptor.
    [[ -n ${arg[container_id]-} ]] && { container_process || refuse container-not-found; }
    for kind in ${arg[enter]//,/ }; do
      case $kind in
        net) enter+=("--net=/proc/self/fd/$netns") ;;
        pid | uts | ipc) enter+=("--$kind=/proc/$netns_pid/ns/$kind") ;;
        mnt) mount=("--mount=/proc/$netns_pid/ns/mnt") ;;
        *) refuse bad-argument ;;
      esac
    done
    ((${#mount[@]})) && command=("${tool_args[@]:-sh}")
    if [[ ${arg[tty]} == 1 && ,${arg[enter]}, == *,pid,* ]]; then
      # When it ends, a shell gives its terminal back to the process group before it. It cannot if that is in another pid
      # namespace, and fails. So it gets a session and the terminal for itself, by our setsid, before it enters the mounts.
      ((${#mount[@]})) && command=(nsenter "${mount[@]}" -- "${command[@]}")
      command=(nsenter "${enter[@]}" -- setsid --ctty "${command[@]}")
    else
      command=(nsenter "${mount[@]}" "${enter[@]}" -- "${command[@]}")
    fi
  fi
  printf '%q ' "${command[@]}" >"$OUT/command"
  run_attached "${command[@]}"
}

# Sets netns_pid to a process of the container, in place of the sandbox's.
container_process() {
  find_container_cgroup "${arg[container_id]}" || return 1
  read -r netns_pid <"$cgroup_root/$container_cgroup/cgroup.procs"
  [[ -n $netns_pid ]]
}

# end_without_client PID: if the client does not renew its lease for two minutes, it is gone, and the children of PID get SIGHUP
# and SIGKILL. The time begins when the command starts.
end_without_client() {
  local child
  local -i last
  while sleep 5; do
    last=$(stat -c %Y "$CTL/lease" 2>/dev/null || stat -c %Y "$OUT/command")
    ((EPOCHSECONDS - last < 120)) && continue
    for child in $(<"/proc/$1/task/$1/children"); do
      [[ $child == "$BASHPID" ]] && continue
      kill -HUP "$child"
      sleep 2
      kill -KILL "$child" 2>/dev/null
    done
  done
}

# Waits until kubectl is attached: only then does the terminal have a size. Nobody would see output from before that.
wait_for_terminal() {
  local -i until
  now_ms
  until=$((now + 60000))
  until [[ $(stty size) != '0 0' ]]; do
    now_ms
    if [[ -n $end_reason ]] || ((now >= until)); then refuse not-attached; fi
    pause 0.05
  done
}

run_attached() {
  local -i end watcher
  end_without_client "$$" &
  watcher=$!
  emit running
  if [[ ${arg[tty]} == 1 ]]; then
    wait_for_terminal
    # The client shows crictl's stderr after the output of the terminal. A shell needs its stderr here: its prompt is there.
    if [[ $collector == crictl ]]; then "$@" 2>"$OUT/stderr"; else "$@"; fi
    tool_status=$?
  else
    "$@" >"$OUT/stdout" 2>"$OUT/stderr" <&0 &
    tool_pid=$!
    now_ms
    end=$((now + arg[duration_ms]))
    while tool_is_running; do
      now_ms
      if [[ -e $CTL/stop || -n $end_reason ]] || ((now >= end || $(stat -c %s "$OUT/stdout") >= arg[max_bytes])); then
        kill -INT "$tool_pid" 2>/dev/null
        tool_ends 2
        break
      fi
      pause 0.05
    done
    wait "$tool_pid" 2>/dev/null
    tool_status=$?
  fi
  kill "$watcher" 2>/dev/null
  # crictl's own status is 1, whatever the status of the command in the container; it prints that one.
  if [[ $subcommand == exec && $tool_status == 1 ]]; then
    tool_status=$(grep -oE '(terminated with exit code|exited with) [0-9]+' "$OUT/stderr" | tail -n1 | grep -oE '[0-9]+$' || echo 1)
  fi
  printf '%d\n' "$tool_status" >"$WORK/status"
  mv "$WORK/status" "$OUT/status"
  emit 'end' status: "$tool_status"
}
