#!/usr/bin/env bash
# by hand, what this does: flamegraph-off-cpu
set -eu
# a privileged pod on the node, in its pid and network namespaces, the node's files at /host
debugger=$(kubectl --context=prod debug node/node-a --profile=sysadmin --image=registry.example/gkeprof-tools:1 --image-pull-policy=IfNotPresent -- sleep 3600 2>&1 | grep -o 'node-debugger-[a-z0-9.-]*' | head -n1)
trap 'kubectl --context=prod delete pod --wait=false "$debugger"' EXIT
kubectl --context=prod wait --for=condition=Ready --timeout=120s "pod/$debugger"
# mounts the node's whole tree of cgroups over the part that the pod sees
kubectl --context=prod exec "$debugger" -- mount --rbind /host/sys/fs/cgroup /sys/fs/cgroup
# finds a process of the container by its cgroup; the first one (pid 1 inside) is preferred, because it lives longest
pid=$(kubectl --context=prod exec "$debugger" -- sh -c 'for f in $(grep -l aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa /proc/[0-9]*/cgroup 2>/dev/null); do grep -qs "^NSpid:.*[[:space:]]1$" "${f%cgroup}status" && echo "0 $f" || echo "1 $f"; done' | sort | head -n1 | cut -d/ -f3)
cgroup=$(kubectl --context=prod exec "$debugger" -- cat "/proc/$pid/cgroup" | awk -F: '$2 == "perf_event" { v1 = $3 } $1 == 0 { v2 = $3 } END { print v1 ? v1 : v2 }')
cgroup=$(dirname "$cgroup") # the pod: one level up
# a cgroup sees only that its threads leave a CPU; the clock beside it tells for how long they had been there
# waits that began before the recording, and waits that have not ended, are missing by hand
# perf needs the event before the cgroup, and -a: a cgroup is sampled on all CPUs
kubectl --context=prod exec "$debugger" -- perf record -g -a -e sched:sched_switch -e "{context-switches/call-graph=no,period=1/,cpu-clock}:S" -G "$cgroup" -o /tmp/perf.data -- sleep 60
# exec may lose the end of a long stream without an error: gzip -t checks that it is whole
kubectl --context=prod exec "$debugger" -- sh -c 'perf script -i /tmp/perf.data --header --no-inline --show-lost-events -F trace:comm,pid,tid,cpu,time,period,event,trace,ip,sym,symoff,dso -F sw:comm,pid,tid,cpu,time,period,event | gzip' > node-a.20261123_133749_UTC.by_hand.perf-script.txt.gz
gzip -t node-a.20261123_133749_UTC.by_hand.perf-script.txt.gz
# nothing else makes waits of these two events
kubectl gkeprof render node-a.20261123_133749_UTC.by_hand.perf-script.txt.gz --output node-a.20261123_133749_UTC.by_hand.svg
