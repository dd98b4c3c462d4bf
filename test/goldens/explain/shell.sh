#!/usr/bin/env bash
# by hand, what this does: shell
set -eu
# a privileged pod on the node, in its pid and network namespaces, the node's files at /host
debugger=$(kubectl --context=prod debug node/node-a --profile=sysadmin --image=registry.example/gkeprof-tools:1 --image-pull-policy=IfNotPresent -- sleep 3600 2>&1 | grep -o 'node-debugger-[a-z0-9.-]*' | head -n1)
trap 'kubectl --context=prod delete pod --wait=false "$debugger"' EXIT
kubectl --context=prod wait --for=condition=Ready --timeout=120s "pod/$debugger"
# finds a process of the container by its cgroup; the first one (pid 1 inside) is preferred, because it lives longest
pid=$(kubectl --context=prod exec "$debugger" -- sh -c 'for f in $(grep -l aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa /proc/[0-9]*/cgroup 2>/dev/null); do grep -qs "^NSpid:.*[[:space:]]1$" "${f%cgroup}status" && echo "0 $f" || echo "1 $f"; done' | sort | head -n1 | cut -d/ -f3)
kubectl --context=prod exec "$debugger" -- nsenter -t "$pid" -n -p sh -c 'echo $HOME'
