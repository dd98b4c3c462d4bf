#!/usr/bin/env bash
# by hand, what this does: pcap-node-least
set -eu
# a pod in the node's namespaces, with NET_ADMIN, NET_RAW and what the runtime gives to every container
debugger=$(kubectl --context=prod debug node/node-a --profile=netadmin --image=registry.example/gkeprof-tools:1 --image-pull-policy=IfNotPresent -- sleep 3600 2>&1 | grep -o 'node-debugger-[a-z0-9.-]*' | head -n1)
trap 'kubectl --context=prod delete pod --wait=false "$debugger"' EXIT
kubectl --context=prod wait --for=condition=Ready --timeout=120s "pod/$debugger"
# the size of the kernel's buffer in KiB: 1/128 of the node's available memory, 2 to 64 MiB
buffer=$(kubectl --context=prod exec "$debugger" -- awk '/^MemAvailable:/ { kib = int($2 / 128); print (kib < 2048 ? 2048 : (kib > 65536 ? 65536 : kib)) }' /proc/meminfo)
# stops after 60 s; packets of the last second may be missing; tcpdump prints on stderr how many the kernel dropped
kubectl --context=prod exec "$debugger" -- timeout -s INT 60 tcpdump -U -B "$buffer" -i any -w - -s 96 port 6379 | gzip > node-a.20261123_133749_UTC.by_hand.pcap.gz
capinfos -aceuxs node-a.20261123_133749_UTC.by_hand.pcap.gz
tshark -r node-a.20261123_133749_UTC.by_hand.pcap.gz -q -z conv,ip
tshark -r node-a.20261123_133749_UTC.by_hand.pcap.gz -q -z conv,tcp
