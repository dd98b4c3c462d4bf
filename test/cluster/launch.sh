#!/bin/sh
# launch.sh CGROUP LOG COMMAND...: joins CGROUP in every hierarchy, then becomes COMMAND with its output in LOG.
set -eu
group=$1
log=$2
shift 2
for procs in /sys/fs/cgroup/"$group"/cgroup.procs /sys/fs/cgroup/*/"$group"/cgroup.procs; do
  if [ -e "$procs" ]; then echo 0 >"$procs"; fi
done
exec "$@" >>"$log" 2>&1 </dev/null
