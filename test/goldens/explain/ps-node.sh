#!/usr/bin/env bash
# by hand, what this does: ps-node
set -eu
# a privileged pod on the node, in its pid and network namespaces, the node's files at /host
debugger=$(kubectl --context=prod debug node/node-a --profile=sysadmin --image=registry.example/gkeprof-tools:1 --image-pull-policy=IfNotPresent -- sleep 3600 2>&1 | grep -o 'node-debugger-[a-z0-9.-]*' | head -n1)
trap 'kubectl --context=prod delete pod --wait=false "$debugger"' EXIT
kubectl --context=prod wait --for=condition=Ready --timeout=120s "pod/$debugger"
kubectl --context=prod exec "$debugger" -- ps auwwf
kubectl --context=prod exec "$debugger" -- env PATH=/usr/local/bin:/usr/bin:/bin:/host/usr/bin:/host/home/kubernetes/bin crictl -r unix:///host/run/containerd/containerd.sock ps
