# Finds the cgroups and processes for the identities in the plan (pod UID, container id), and network.sh the network namespace.
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
