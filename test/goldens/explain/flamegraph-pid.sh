#!/usr/bin/env bash
# by hand, what this does: flamegraph-pid
set -eu
# a privileged pod on the node, in its pid and network namespaces, the node's files at /host
debugger=$(kubectl --context=prod debug node/node-a --profile=sysadmin --image=registry.example/gkeprof-tools:1 --image-pull-policy=IfNotPresent -- sleep 3600 2>&1 | grep -o 'node-debugger-[a-z0-9.-]*' | head -n1)
trap 'kubectl --context=prod delete pod --wait=false "$debugger"' EXIT
kubectl --context=prod wait --for=condition=Ready --timeout=120s "pod/$debugger"
# mounts the node's whole tree of cgroups over the part that the pod sees
kubectl --context=prod exec "$debugger" -- mount --rbind /host/sys/fs/cgroup /sys/fs/cgroup
pid=7154
cgroup=$(kubectl --context=prod exec "$debugger" -- cat "/proc/$pid/cgroup" | awk -F: '$2 == "perf_event" { v1 = $3 } $1 == 0 { v2 = $3 } END { print v1 ? v1 : v2 }')
# if stacks end early, replace -g by --call-graph dwarf,16384, which needs no frame pointers
# perf needs the event before the cgroup, and -a: a cgroup is sampled on all CPUs
kubectl --context=prod exec "$debugger" -- perf record -F 99 -g -a -e cycles -G "$cgroup" -o /tmp/perf.data -- sleep 60
# exec may lose the end of a long stream without an error: gzip -t checks that it is whole
kubectl --context=prod exec "$debugger" -- sh -c 'perf script -i /tmp/perf.data --header --no-inline | gzip' > node-a.20261123_133749_UTC.by_hand.perf-script.txt.gz
gzip -t node-a.20261123_133749_UTC.by_hand.perf-script.txt.gz
# https://github.com/brendangregg/FlameGraph
zcat node-a.20261123_133749_UTC.by_hand.perf-script.txt.gz | stackcollapse-perf.pl | flamegraph.pl > node-a.20261123_133749_UTC.by_hand.svg
