# Finds the node's own files and its container runtime from inside the debug pod. The check of a pod's namespace, snapshots,
# crictl and shells use this.

# Sets node_root to the folder through which the node's own files are seen: the root of the kubelet, or else that of process 1.
# Any process can call itself kubelet, but the real one is outside of all pods' cgroups and on the node's network. A child
# that the kubelet has just forked has its name for a moment, so the oldest such process counts.
find_node_root() {
  local path pid own
  local -i oldest=0 start_time
  own=$(readlink /proc/self/ns/net)
  node_root=/proc/1/root kubelet_pid=
  while IFS= read -r path; do
    pid=${path#/proc/}
    pid=${pid%/comm}
    is_in_a_pod "/proc/$pid" && continue
    [[ $(readlink "/proc/$pid/ns/net") == "$own" ]] || continue
    process_start "$pid" || continue
    ((oldest && start_time >= oldest)) && continue
    oldest=$start_time node_root=/proc/$pid/root kubelet_pid=$pid
  done < <(grep -lxsE 'kubelet|kubelite|k3s(-server|-agent)?' /proc/[0-9]*/comm)
}

# Sets runtime_socket to the path of the runtime's socket from here: where the kubelet was told to look, else the default places.
find_runtime_socket() {
  local word previous='' config='' said=''
  if [[ -n $kubelet_pid ]]; then
    while IFS= read -rd '' word; do
      case $word in
        --container-runtime-endpoint=*) said=${word#*=} ;;
        --config=*) config=${word#*=} ;;
        *)
          [[ $previous == --container-runtime-endpoint ]] && said=$word
          [[ $previous == --config ]] && config=$word
          ;;
      esac
      previous=$word
    done <"/proc/$kubelet_pid/cmdline"
    if [[ -z $said && -n $config ]]; then
      said=$(grep -ohsE 'containerRuntimeEndpoint"?: *"?unix://[^", ]+' "$node_root$config" | head -n1)
      said=unix://${said#*unix://}
    fi
  fi
  for word in "${said#unix://}" /run/containerd/containerd.sock /run/k3s/containerd/containerd.sock \
    /var/snap/microk8s/common/run/containerd.sock /run/crio/crio.sock /run/cri-dockerd.sock; do
    runtime_socket=$node_root$word
    [[ -n $word && -S $runtime_socket ]] && return
  done
  runtime_socket=
  return 1
}

# Sets crictl to the node's own crictl, or else to the image's.
find_crictl() {
  local folder
  for folder in "$node_root"/{home/kubernetes/bin,usr/bin,usr/local/bin,opt/bin,opt/cni/bin,var/lib/rancher/rke2/bin}; do
    crictl=$folder/crictl
    [[ -x $crictl ]] && "$crictl" --version >/dev/null 2>&1 && return
  done
  crictl=$(type -P crictl)
}

run_crictl() {
  "$crictl" --config /dev/null --runtime-endpoint "unix://$runtime_socket" --timeout 10s "$@"
}
