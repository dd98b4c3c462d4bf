# A debug pod without volumes. The kubelet looks only every 300 ms whether the volumes of a pod are mounted, so a pod without any
# starts earlier, and has none if its files are small for certain (src/plan/plan.ts). The containers of a pod share /dev/shm, which
# is in memory and outlives each of them.

# Unless it is in a volume: makes the folder for the files. As in a volume, `files` can read what is in it by its group, which both
# containers have (fsGroup), and can write to ctl alone. Fails if the folder is there: then somebody in `files` laid it, and it may
# lead anywhere.
make_scratch() {
  local group name kb
  local -i mb
  [[ $scratch == /dev/shm/* ]] || return 0
  for group in "${GROUPS[@]}"; do ((group < 2000000000)) || break; done
  if ! { mkdir -m 750 "$scratch" && chgrp "$group" "$scratch" && chmod 2750 "$scratch" && mkdir -m 2770 "$scratch/ctl"; }; then
    echo "the folder $scratch could not be made" >/dev/termination-log
    return 1
  fi
  # The runtime gives /dev/shm 64 MB, which nearly all files fit into. It may have a quarter of the memory that is available.
  while read -r name kb _; do [[ $name != MemAvailable: ]] || break; done </proc/meminfo
  mb=$((kb / 4096))
  ((mb <= 1024)) || mb=1024
  ((mb <= 64)) || mount -o "remount,size=${mb}m" /dev/shm || :
}

# Unless a volume has them: mounts the node's cgroups in place of the container's own, as process 1 sees them: those by which
# targets are found, and those with CPU time and limits. Some runtimes give the container a cgroup namespace, in which its own
# cgroup is the root of all (cgroup_namespaces(7)).
mount_cgroups() {
  local directory type options
  local -a enter=()
  [[ $scratch == /dev/shm/* ]] || return 0
  [[ $(</proc/self/cgroup) != *:/ ]] || enter=(nsenter --cgroup=/proc/1/ns/cgroup)
  # Linux does not mount a file system right over itself (do_add_mount).
  mount -t tmpfs none /sys/fs/cgroup || return
  while read -r _ directory type options _; do
    [[ $directory == /sys/fs/cgroup* ]] || continue
    [[ $type == cgroup2 || ($type == cgroup && ,$options, =~ ,(perf_event|cpu|cpuacct),) ]] || continue
    mkdir -p "$directory" && "${enter[@]}" mount -t "$type" -o "$options" "$type" "$directory" || return
  done </proc/1/mounts
}
