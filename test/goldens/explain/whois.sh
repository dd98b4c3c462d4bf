#!/usr/bin/env bash
# by hand, what this does: whois
set -eu
# a privileged pod on the node, in its pid and network namespaces, the node's files at /host
debugger=$(kubectl --context=prod debug node/node-a --profile=sysadmin --image=registry.example/gkeprof-tools:1 --image-pull-policy=IfNotPresent -- sleep 3600 2>&1 | grep -o 'node-debugger-[a-z0-9.-]*' | head -n1)
trap 'kubectl --context=prod delete pod --wait=false "$debugger"' EXIT
kubectl --context=prod wait --for=condition=Ready --timeout=120s "pod/$debugger"
# the last parts of the path of a cgroup are the pod and the container; crictl and kubectl know their names
kubectl --context=prod exec "$debugger" -- cat /proc/7154/cgroup
kubectl --context=prod exec "$debugger" -- pgrep -f -a 'redis-server .*:6379'
kubectl --context=prod exec "$debugger" -- sh -c 'for pid in $(pgrep -f '\''redis-server .*:6379'\''); do tail -n1 "/proc/$pid/cgroup"; done'
# each network namespace has its own sockets: look into every one
kubectl --context=prod exec "$debugger" -- sh -c 'lsns -t net -n -o PID | while read -r pid; do nsenter -t "$pid" -n ss -tunap "sport = :6379"; done'
kubectl --context=prod get pods -A -o wide --field-selector status.podIP=10.0.0.1
kubectl --context=prod exec "$debugger" -- sh -c 'grep -lF :/kubepods /proc/[0-9]*/cgroup'
kubectl --context=prod exec "$debugger" -- env PATH=/usr/local/bin:/usr/bin:/bin:/host/usr/bin:/host/home/kubernetes/bin crictl -r unix:///host/run/containerd/containerd.sock ps --id 89e7d6da5f404
kubectl --context=prod exec "$debugger" -- env PATH=/usr/local/bin:/usr/bin:/bin:/host/usr/bin:/host/home/kubernetes/bin crictl -r unix:///host/run/containerd/containerd.sock pods --id 89e7d6da5f404
kubectl --context=prod exec "$debugger" -- ip -o link show veth1
# link-netnsid is the number of the network namespace at the other end
kubectl --context=prod exec "$debugger" -- lsns -t net -o NS,NETNSID,PID,COMMAND
kubectl --context=prod get pods -A -o wide --field-selector spec.nodeName=node-a
