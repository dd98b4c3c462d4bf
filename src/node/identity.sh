# From the identities in the plan (pod UID, container id, addresses) to what the node has: cgroups, processes
# and the network namespace. Each is checked, never guessed: a nested cgroup may imitate a name, a pid may be
# reused, and a path may lead to another pod.

# The cgroup tree that perf will use, by perf's own rule (Linux tools/lib/api/fs/cgroup.c): the first v1 mount
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
# (kubernetes pkg/kubelet/cm/cgroup_manager_linux.go). Only the first `kubepods` of a path counts: what a
# container makes below itself lies behind its own pod's component and cannot match.
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

# The id in the name of a container's cgroup: <id>, cri-containerd-<id>.scope, crio-<id>.scope, docker-<id>.scope.
# CRI-O's crio-conmon-<id>.scope holds the monitor of a container, not the container.
cgroup_container_id() {
  [[ ${1##*/} =~ ^(([0-9a-f]{64})|(cri-containerd|crio|docker)-([0-9a-f]{64})\.scope)$ ]] || return 1
  container_of_cgroup=${BASH_REMATCH[2]}${BASH_REMATCH[4]}
}

# find_container_cgroup ID: directly below the pod's cgroup, and nowhere else.
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

# read_cpu_counters CGROUP [PARENT]: what the kernel counts, in microseconds: cpu_used of the cgroup; cpu_waited, how long at
# least one of its threads waited for a processor (Documentation/accounting/psi.rst); and in cpu_held, by their files, how
# long limits held it back: its own, those right below it, and that of PARENT, because each cgroup counts only its own
# limit. What the kernel does not count is empty. The limits are in a hierarchy of their own, and in nanoseconds, where the
# controller is one of cgroup v1, which may stand beside cgroup v2.
declare -A cpu_held=()
read_cpu_counters() {
  local directory type options file key count rest usage='' limits=$cgroup_root
  cpu_used='' cpu_waited=''
  cpu_held=()
  while read -r _ directory type options rest; do
    [[ $type == cgroup && ,$options, == *,cpuacct,* ]] && usage=$directory/$1/cpuacct.usage
    [[ $type == cgroup && ,$options, == *,cpu,* && -d $directory/$1 ]] && limits=$directory
  done </proc/self/mounts
  { read -r count <"$usage"; } 2>/dev/null && cpu_used=$((count / 1000))
  for file in "$cgroup_root/$1"/cpu.stat "$limits/$1"/cpu.stat "$limits/$1"/*/cpu.stat ${2:+"$limits/$2"/cpu.stat}; do
    while read -r key count; do
      case $key in
        usage_usec) [[ -n $cpu_used ]] || cpu_used=$count ;;
        throttled_usec) cpu_held[$file]=$count ;;
        throttled_time) cpu_held[$file]=$((count / 1000)) ;;
      esac
    done 2>/dev/null <"$file"
  done
  while read -r key _ _ _ count; do
    [[ $key != some ]] || cpu_waited=${count#total=}
  done 2>/dev/null <"$cgroup_root/$1/cpu.pressure"
  return 0
}

# The fields of /proc/PID/stat from the third one on in process_stat: they are counted from behind the name, which may
# hold blanks, brackets and line feeds. The file is read to its end: it holds no NUL.
process_stat() {
  local text
  { IFS= read -rd '' text <"/proc/$1/stat"; } 2>/dev/null
  read -ra process_stat <<<"${text##*) }"
  ((${#process_stat[@]} > 46))
}

# When a process started, in clock ticks since boot: field 22.
process_start() {
  process_stat "$1" || return 1
  start_time=${process_stat[19]}
}

# Whether a descriptor is of the node's network namespace: the first process is in it. Neither is a pod in ours, which
# is the node's too unless the debug pod has a network of its own.
is_nodes_netns() {
  stat -Lc %i /proc/1/ns/net /proc/self/ns/net 2>/dev/null | grep -qx "$(stat -Lc %i "/proc/self/fd/$1")"
}

# open_pod_netns: the descriptor of the pod's network namespace in $netns, from the sandbox's process (the one
# container of the pod that the API does not list), else from a process of the target's container.
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
      # The same process, still in the same cgroup, after the descriptor was opened: no pid was reused between.
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

# The node's end of the pod's interface: the link whose index is `link_index` of the interface that holds the
# pod's address (sysfs would be the debug pod's own, so iflink from there is wrong). Whoever may make interfaces in the
# pod can give them any index and any peer. So the node's link has to name the pod's back, its index and its
# namespace, and the pod's has to name the node's: only the kernel writes that (rtnetlink(7), IFLA_LINK_NETNSID).
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

# Gives the node's and the pod's network namespace a name by which ip knows them: their descriptors, whatever else is there.
NETNS_NAMES=/run/netns
name_namespaces() {
  mkdir -p "$NETNS_NAMES" &&
    ln -sfn "/proc/$$/ns/net" "$NETNS_NAMES/gkeprof-node" &&
    ln -sfn "/proc/$$/fd/$netns" "$NETNS_NAMES/gkeprof-pod"
}

# peer_in NAMESPACE [COMMAND…] -- INTERFACE: the index of an interface's other end, as it is seen by COMMAND, when that
# end is in the namespace of this name. An alias of the interface is in the same line, but its quotes are escaped.
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

# The pod is still the one that was planned: its cgroup, and where a namespace was opened, its process.
target_is_gone() {
  [[ -n ${watched_cgroup-} && ! -d $cgroup_root/$watched_cgroup ]] && return 0
  if [[ -n ${netns_pid-} ]]; then
    process_start "$netns_pid" && [[ $start_time == "$netns_start" ]] && return 1
    return 0
  fi
  return 1
}

# Whether the pod is of the namespace that the plan names, for which the user's rights were checked: the kubelet keeps
# each pod's logs in NAMESPACE_NAME_UID (kubernetes pkg/kubelet/kuberuntime/helpers.go, BuildPodLogsDirectory). They are
# seen through the root of the kubelet, or of another process that no pod can imitate: one outside of all pods' cgroups.
# Where the kubelet keeps them elsewhere (podLogsDir), the runtime is asked.
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
  # From here on it is this one alone: another one beside it may be of a pod that has no logs yet.
  [[ -n $known ]] && arg[pod_uid]=$known
}

# The roots through which the node's files may be seen: of the first process, and of each kubelet.
node_roots() {
  local path
  printf '/proc/1/root\n'
  while IFS= read -r path; do
    is_in_a_pod "${path%/comm}" || printf '%s/root\n' "${path%/comm}"
  done < <(grep -lxsE 'kubelet|kubelite|k3s(-server|-agent)?' /proc/[0-9]*/comm)
}

# Whether the process, named by its folder in /proc, is in the cgroup of a pod. In a cgroup namespace of our own the path of
# another pod begins with `/..` and may lack the kubelet's folder, so the pod's own name counts too: pod<UID>, the UID being
# one with dashes (with _ under systemd) or the hash of a static pod.
is_in_a_pod() {
  grep -qE 'kubepods|[/-]pod[0-9a-f]{8}[-_][0-9a-f]{4}|[/-]pod[0-9a-f]{32}' "$1/cgroup" 2>/dev/null
}
