# Finds the network namespace of the pod in the plan, and the node's end of its interface. Collectors that look at the network use
# this; it needs the cgroups of identity.sh.

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
