# Finds the cgroups, processes and network namespace for the identities in the plan (pod UID, container id, addresses).
# Each of them is checked, never guessed: a nested cgroup may imitate a name, a pid may be reused, and a path may lead to
# another pod.

# Sets cgroup_root to the cgroup tree that perf will use, by perf's own rule (Linux tools/lib/api/fs/cgroup.c): the first v1 mount
# with perf_event among its options, otherwise the last cgroup2 mount.
find_cgroup_root() {
  local directory type options rest
  cgroup_root=
  while read -r _ directory type options rest; do
    case $type in
      cgroup)
        if [[ ,$options, == *,perf_event,* ]]; then
          cgroup_root=$directory
          return 0
        fi
        ;;
      cgroup2) cgroup_root=$directory ;;
    esac
  done </proc/self/mounts
  [[ -n $cgroup_root ]]
}

# find_pod_cgroup: sets pod_cgroup to the pod's cgroup, relative to the root. The kubelet's own layouts:
#   cgroupfs  [ROOT/]kubepods/[burstable/|besteffort/]pod<UID>
#   systemd   [ROOT/]kubepods.slice/[kubepods-QOS.slice/]kubepods[-QOS]-pod<UID with _>.slice
# (kubernetes pkg/kubelet/cm/cgroup_manager_linux.go). Only the first `kubepods` of a path counts: the
# cgroups that a container makes are below its own pod's, so they cannot match.
# A static pod's UID is the hash in its annotation, so the plan may hold more than one.
find_pod_cgroup() {
  local uid under path relative below
  local -a uids
  IFS=, read -ra uids <<<"${arg[pod_uid]}"
  for uid in "${uids[@]}"; do
    under=${uid//-/_}
    while IFS= read -r path; do
      relative=${path#"$cgroup_root"/}
      below=kubepods${relative#*kubepods}
      [[ $relative == *kubepods* ]] || continue
      if [[ $below =~ ^kubepods/((burstable|besteffort)/)?pod"$uid"$ ||
        $below =~ ^kubepods\.slice/([^/]*-(burstable|besteffort)\.slice/)?[^/]*kubepods(-burstable|-besteffort)?-pod"$under"\.slice$ ]]; then
        pod_cgroup=$relative
        return 0
      fi
    done < <(find "$cgroup_root" -maxdepth 8 -type d \( -name "pod$uid" -o -name "*-pod$under.slice" \) 2>/dev/null)
  done
  return 1
}

# cgroup_container_id PATH: sets container_of_cgroup to the id in the name of a container's cgroup: <id>, cri-containerd-<id>.scope, crio-<id>.scope, docker-<id>.scope.
# In CRI-O's crio-conmon-<id>.scope is the monitor of a container, not the container.
cgroup_container_id() {
  [[ ${1##*/} =~ ^(([0-9a-f]{64})|(cri-containerd|crio|docker)-([0-9a-f]{64})\.scope)$ ]] || return 1
  container_of_cgroup=${BASH_REMATCH[2]}${BASH_REMATCH[4]}
}

# find_container_cgroup ID: sets container_cgroup. It is looked for directly below the pod's cgroup only.
find_container_cgroup() {
  local directory
  for directory in "$cgroup_root/$pod_cgroup"/*/; do
    directory=${directory%/}
    if cgroup_container_id "$directory" && [[ $container_of_cgroup == "$1" ]]; then
      container_cgroup=${directory#"$cgroup_root"/}
      return 0
    fi
  done
  return 1
}

# process_stat PID: sets process_stat to the fields of /proc/PID/stat from the third one on. They are counted from the end of
# the name, which may hold blanks, brackets and line feeds. The file has no NUL, so it is read to its end.
process_stat() {
  local text
  { IFS= read -rd '' text <"/proc/$1/stat"; } 2>/dev/null
  read -ra process_stat <<<"${text##*) }"
  ((${#process_stat[@]} > 46))
}

# process_start PID: sets start_time to when the process started, in clock ticks since boot (field 22).
process_start() {
  process_stat "$1" || return 1
  start_time=${process_stat[19]}
}

# is_nodes_netns DESCRIPTOR: whether it is the network namespace of the node, which process 1 is in. Our own counts too: no
# other pod is in it, and it is the node's unless the debug pod has a network of its own.
is_nodes_netns() {
  stat -Lc %i /proc/1/ns/net /proc/self/ns/net 2>/dev/null | grep -qx "$(stat -Lc %i "/proc/self/fd/$1")"
}

# open_pod_netns: sets netns to a descriptor of the pod's network namespace. It is taken from the process of the sandbox (the
# one container of the pod that the API does not list), or else from a process of another container of the pod.
open_pod_netns() {
  local directory pid before ip
  local -a pids=() candidates=() addresses
  for directory in "$cgroup_root/$pod_cgroup"/*/; do
    cgroup_container_id "${directory%/}" || continue
    if [[ ,${arg[container_ids]}, == *,$container_of_cgroup,* ]]; then
      candidates+=("${directory%/}")
    else
      candidates=("${directory%/}" "${candidates[@]}")
    fi
  done
  IFS=, read -ra addresses <<<"${arg[pod_ips]}"
  netns_problem='process-not-found'
  for directory in "${candidates[@]}"; do
    mapfile -t pids <"$directory/cgroup.procs" 2>/dev/null
    for pid in "${pids[@]}"; do
      process_start "$pid" || continue
      before=$start_time
      exec {netns}<"/proc/$pid/ns/net" || continue
      # If the same process is still in the same cgroup now, the pid was not reused before the descriptor was opened.
      if ! process_start "$pid" || [[ $start_time != "$before" ]] || ! grep -qx "$pid" "$directory/cgroup.procs"; then
        exec {netns}<&-
        continue
      fi
      if [[ ${arg[host_network]} == 0 ]] && is_nodes_netns "$netns"; then
        netns_problem='netns-is-the-nodes'
        exec {netns}<&-
        continue
      fi
      for ip in "${addresses[@]}"; do
        if nsenter "--net=/proc/self/fd/$netns" ip -o addr show 2>/dev/null | grep -qF " $ip/"; then
          netns_pid=$pid netns_start=$before
          return 0
        fi
      done
      netns_problem='pod-ip-mismatch'
      exec {netns}<&-
    done
  done
  return 1
}

# Sets host_interface to the node's end of the pod's interface: the link whose index is the `link_index` of the interface
# that has the pod's address (sysfs is the debug pod's own, so iflink from there would be wrong). Whoever may make interfaces
# in the pod can give them any index and any peer. So each of the two links must name the other, by its index and its
# namespace: only the kernel writes that (rtnetlink(7), IFLA_LINK_NETNSID). The names of the namespaces are the same for all
# recorders of the pod, so only one of them may do this at a time (alone).
find_host_interface() {
  local -a addresses
  local inside inner index line
  IFS=, read -ra addresses <<<"${arg[pod_ips]}"
  inside=$(nsenter "--net=/proc/self/fd/$netns" ip -o addr show | grep -F " ${addresses[0]}/" | head -n1)
  inner=${inside%%:*}
  inside=${inside#*: }
  inside=${inside%% *}
  name_namespaces || return 1
  index=$(peer_in gkeprof-node nsenter "--net=/proc/self/fd/$netns" -- "$inside") &&
    line=$(ip -o link show | grep "^$index: ") &&
    line=${line#*: } &&
    host_interface=${line%%[@:]*} &&
    [[ $(peer_in gkeprof-pod -- "$host_interface") == "$inner" ]]
  local -i found=$?
  rm -f "$NETNS_NAMES"/gkeprof-{node,pod}
  return $found
}

# Gives the network namespaces of the node and of the pod names that ip knows. A file of that name is replaced.
NETNS_NAMES=/run/netns
name_namespaces() {
  mkdir -p "$NETNS_NAMES" &&
    ln -sfn "/proc/$BASHPID/ns/net" "$NETNS_NAMES/gkeprof-node" &&
    ln -sfn "/proc/$BASHPID/fd/$netns" "$NETNS_NAMES/gkeprof-pod"
}

# peer_in NAMESPACE [COMMAND…] -- INTERFACE: prints the index of the interface's other end, as COMMAND sees it, if that end is
# in the namespace of this name. The interface's alias is in the same line, but its quotes are escaped.
peer_in() {
  local namespace=$1 link id known
  local -a enter=()
  shift
  while [[ $1 != -- ]]; do
    enter+=("$1")
    shift
  done
  link=$("${enter[@]}" ip -j link show dev "$2") || return 1
  [[ $link =~ \"link_netnsid\":([0-9]+) ]] || return 1
  id=${BASH_REMATCH[1]}
  known=$("${enter[@]}" ip -j netns list-id nsid "$id")
  [[ $known == *"\"name\":\"$namespace\""* && $link =~ \"link_index\":([0-9]+) ]] || return 1
  printf '%s\n' "${BASH_REMATCH[1]}"
}

# Whether the target is gone: the pod's cgroup, or the process whose namespace was opened.
target_is_gone() {
  [[ -n ${watched_cgroup-} && ! -d $cgroup_root/$watched_cgroup ]] && return 0
  if [[ -n ${netns_pid-} ]]; then
    process_start "$netns_pid" && [[ $start_time == "$netns_start" ]] && return 1
    return 0
  fi
  return 1
}

# tool_failed CODE LOG: refuses with the reason of the tool, or, if the target is gone by now, with that.
tool_failed() {
  target_is_gone && refuse pod-not-found
  refuse "$1" log "$2"
}

# Whether the pod is in the namespace that the plan names, for which the user's rights were checked. The kubelet keeps the logs
# of each pod in NAMESPACE_NAME_UID (kubernetes pkg/kubelet/kuberuntime/helpers.go, BuildPodLogsDirectory). They are read
# through the root of process 1 or of the kubelet, which no pod can imitate, because it is outside of all pods' cgroups.
# If the kubelet keeps its logs elsewhere (podLogsDir), the runtime is asked.
pod_is_of_namespace() {
  local uid logs directory known=''
  local -a uids roots
  IFS=, read -ra uids <<<"${arg[pod_uid]}"
  mapfile -t roots < <(node_roots)
  for uid in "${uids[@]}"; do
    for logs in "${roots[@]/%//var/log/pods/}"; do
      for directory in "$logs"*_"$uid"/; do
        [[ -d $directory ]] || continue
        [[ ${directory#"$logs"} == "${arg[pod_namespace]}_"* ]] || return 1
        known=$uid
      done
    done
  done
  if [[ -z $known ]]; then
    find_node_root
    find_runtime_socket && find_crictl || return 1
    for uid in "${uids[@]}"; do
      [[ -n $(run_crictl pods --quiet --label "io.kubernetes.pod.uid=$uid" \
        --label "io.kubernetes.pod.namespace=${arg[pod_namespace]}" 2>/dev/null) ]] && known=$uid
    done
  fi
  # From here on only this UID counts: the other one may belong to a pod that has no logs yet.
  [[ -n $known ]] && arg[pod_uid]=$known
}

# Prints the roots through which the node's files may be seen: that of process 1, and that of each kubelet.
node_roots() {
  local path
  printf '/proc/1/root\n'
  while IFS= read -r path; do
    is_in_a_pod "${path%/comm}" || printf '%s/root\n' "${path%/comm}"
  done < <(grep -lxsE 'kubelet|kubelite|k3s(-server|-agent)?' /proc/[0-9]*/comm)
}

# is_in_a_pod FOLDER: whether the process with this folder in /proc is in the cgroup of a pod. In a cgroup namespace of our own
# the path of another pod begins with `/..` and may lack the kubelet's folder, so the pod's own name counts too: pod<UID>,
# where the UID has dashes (_ under systemd) or is the hash of a static pod.
is_in_a_pod() {
  grep -qE 'kubepods|[/-]pod[0-9a-f]{8}[-_][0-9a-f]{4}|[/-]pod[0-9a-f]{32}' "$1/cgroup" 2>/dev/null
}
