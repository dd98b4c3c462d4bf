#!/bin/sh
# node.sh NAME FOLDER PINS RESOLV_CONF: makes a node out of fresh network, mount and UTS namespaces: runs once inside
# them, before anything else does. FOLDER holds the node's own files, PINS is where all nodes' namespaces are pinned.
set -eu
name=$1
folder=$2
pins=$3
resolv_conf=$4

hostname "$name"
mount --make-rprivate /
# Otherwise this node would hold the namespaces of the others open.
umount --lazy "$pins"

# What lies directly below /sys, such as the cgroup trees.
sys_mounts() {
  awk '$5 == "/sys" { sys = $1 } { parent[NR] = $2; at[NR] = $5 }
    END { for (i = 1; i <= NR; i++) if (parent[i] == sys) print at[i] }' /proc/self/mountinfo
}

mount -t tmpfs -o mode=755 gkeprof-run /run
mkdir -p /run/containerd /run/lock /run/netns /run/sys

# /sys shows the interfaces of the network namespace that mounted it: mount it again, with all that lies below it.
mount -t sysfs sysfs /run/sys
for mounted in $(sys_mounts); do
  mount --rbind "$mounted" "/run/sys/${mounted#/sys/}"
done
umount --recursive --lazy /sys
mount --move /run/sys /sys
rmdir /run/sys

for own in var/lib/kubelet var/lib/containerd var/lib/cni var/log/pods var/log/containers etc/cni/net.d etc/containerd \
  home/kubernetes/bin; do
  mount --bind "$folder/$own" "/$own"
done
resolver=$(readlink -m /etc/resolv.conf)
mkdir -p "$(dirname "$resolver")"
[ -e "$resolver" ] || : >"$resolver"
mount --bind "$resolv_conf" "$resolver"

# Volumes of pods have to propagate to containers that ask for it, as on any node.
mount --make-rshared /
