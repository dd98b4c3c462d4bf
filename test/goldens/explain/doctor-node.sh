#!/usr/bin/env bash
# by hand, what this does: what a capture needs
set -eu
kubectl version --client
kubectl auth whoami
kubectl auth can-i get pods -n redis || :
kubectl auth can-i get nodes -A || :
kubectl auth can-i list pods -n redis || :
kubectl auth can-i get services -n redis || :
kubectl auth can-i list services -n redis || :
kubectl auth can-i list jobs.batch -n redis || :
kubectl auth can-i list replicationcontrollers -n redis || :
kubectl auth can-i list deployments.apps -n redis || :
kubectl auth can-i list statefulsets.apps -n redis || :
kubectl auth can-i list daemonsets.apps -n redis || :
kubectl auth can-i list replicasets.apps -n redis || :
kubectl auth can-i list cronjobs.batch -n redis || :
kubectl auth can-i list pods -A || :
kubectl auth can-i list nodes -A || :
kubectl auth can-i create pods -n gkeprof || :
kubectl auth can-i get pods -n gkeprof || :
kubectl auth can-i delete pods -n gkeprof || :
kubectl auth can-i list pods -n gkeprof || :
kubectl auth can-i get pods --subresource=log -n gkeprof || :
kubectl auth can-i get pods --subresource=exec -n gkeprof || :
kubectl auth can-i create pods --subresource=exec -n gkeprof || :
kubectl auth can-i list events -n gkeprof || :
kubectl auth can-i get pods --subresource=attach -n gkeprof || :
kubectl auth can-i create pods --subresource=attach -n gkeprof || :
kubectl get namespace gkeprof --show-labels
kubectl get nodes -o wide --show-labels
# conditions, taints, and the room on the disk
kubectl describe nodes
# a privileged pod on the node, in its pid and network namespaces, the node's files at /host
debugger=$(kubectl debug node/node-a --profile=sysadmin --image=tools:1 --image-pull-policy=IfNotPresent -- sleep 3600 2>&1 | grep -o 'node-debugger-[a-z0-9.-]*' | head -n1)
trap 'kubectl delete pod --wait=false "$debugger"' EXIT
kubectl wait --for=condition=Ready --timeout=120s "pod/$debugger"
kubectl exec "$debugger" -- sh -c 'stat -fc %T /sys/fs/cgroup'
kubectl exec "$debugger" -- sh -c 'ls /sys/bus/event_source/devices /sys/kernel/btf/vmlinux'
kubectl exec "$debugger" -- sh -c 'cat /proc/sys/kernel/kptr_restrict /proc/sys/kernel/perf_event_paranoid'
