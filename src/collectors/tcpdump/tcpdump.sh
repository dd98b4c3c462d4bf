# The collector `tcpdump`: packets of a node, of a pod's host-side interface or of its network namespace.

ARGUMENT_TYPE[interface]='[A-Za-z0-9_.:@][A-Za-z0-9_.:@-]{0,31}'
ARGUMENT_TYPE[link_type]='[A-Za-z0-9_]{1,30}'
ARGUMENT_TYPE[count]='0|[1-9][0-9]{0,17}'
COLLECTOR_ARGUMENTS[tcpdump]='interface? link_type? count'
COLLECTOR_SCOPES[tcpdump]='node|netns|iface'
COLLECTOR_WORDS[tcpdump]='(-s\n[0-9]{1,9}\n|-B\n[0-9]{1,6}\n|-Q\n(in|out|inout)\n|-y\n[A-Za-z0-9_]{1,30}\n|-c\n[0-9]{1,18}\n|-[Kpnv]\n)*--\n([^\n]*\n)*'

tcpdump_run() { capture_until_end; }

tcpdump_needs() {
  tools=(tcpdump nsenter ip gzip)
  packages=(tcpdump iproute2)
}

tcpdump_version() { tcpdump --version 2>&1 | head -n1; }

tcpdump_prepare() {
  local -a filter=("${tool_args[@]}")
  tcpdump_enter=()
  # The filter is what stands behind the first `--`: no option before it can have that as its value.
  while [[ ${filter[0]} != -- ]]; do filter=("${filter[@]:1}"); done
  filter=("${filter[@]:1}")
  local link=EN10MB
  case ${arg[scope]} in
    netns | iface)
      find_cgroup_root || refuse no-cgroup-mount
      find_pod_cgroup || refuse pod-not-found
      watched_cgroup=$pod_cgroup
      open_pod_netns || refuse "$netns_problem"
      ;;
  esac
  case ${arg[scope]} in
    netns)
      tcpdump_interface=${arg[interface]:-any}
      tcpdump_enter=(nsenter "--net=/proc/self/fd/$netns" --)
      # tcpdump knows interfaces of other kinds too (usbmon1, nflog), which are the node's.
      [[ $tcpdump_interface == any ]] || "${tcpdump_enter[@]}" ip link show dev "$tcpdump_interface" >/dev/null 2>&1 || refuse no-interface
      ;;
    iface)
      find_host_interface || refuse no-interface
      tcpdump_interface=$host_interface
      ;;
    node)
      tcpdump_interface=${arg[interface]:-any}
      if [[ $tcpdump_interface == default ]]; then
        tcpdump_interface=$(ip -o route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n1)
        [[ -n $tcpdump_interface ]] || refuse no-interface
      fi
      ;;
  esac
  [[ $tcpdump_interface == any ]] && link=LINUX_SLL2
  # The filter is compiled for the link type it will meet before anything is captured: `any` has no Ethernet header.
  if ! tcpdump -y "${arg[link_type]:-$link}" -d -- "${filter[@]}" >"$OUT/tcpdump.log" 2>&1; then
    refuse filter-rejected log tcpdump.log
  fi
}

# What the node has to spare, in KiB.
tcpdump_spare_memory() { sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo; }

# The kernel's buffer, in KiB. tcpdump's own of 2 MiB is full within a few milliseconds when it writes slowly: of bursts of
# 30 MB/s a quarter was lost. So it is a 128th of what the node has to spare, 64 MiB at most, unless -B says another.
# Where there is no room for it, libpcap takes less (pcap-linux.c, create_ring).
tcpdump_sizes_buffer() {
  local -i at spare
  spare=$(tcpdump_spare_memory)
  tcpdump_buffer=$((spare / 128))
  ((tcpdump_buffer >= 2048)) || tcpdump_buffer=2048
  ((tcpdump_buffer <= 65536)) || tcpdump_buffer=65536
  for ((at = 0; at < ${#tool_args[@]}; at++)); do
    [[ ${tool_args[at]} == -- ]] && break
    [[ ${tool_args[at]} != -B ]] || tcpdump_buffer=$((10#${tool_args[at + 1]}))
  done
}

# The raw file lies where `files` can read it, so that it is not lost when this container is. tcpdump opens it as root: the mount is the pod's own, and the user it would change to may not exist.
# -U writes out each packet as it comes: one that is killed loses none.
tcpdump_start() {
  tcpdump_sizes_buffer
  "${tcpdump_enter[@]}" tcpdump -Z root -U -B "$tcpdump_buffer" -i "$tcpdump_interface" -w "$OUT/capture.pcap" "${tool_args[@]}" \
    2>"$OUT/tcpdump.log" >/dev/null </dev/null &
  tool_pid=$!
  until grep -q 'listening on' "$OUT/tcpdump.log" 2>/dev/null; do
    tool_is_running || refuse tcpdump-failed log tcpdump.log
    pause 0.02
  done
}

tcpdump_bytes() {
  bytes=$(stat -c %s "$OUT/capture.pcap" 2>/dev/null) || bytes=0
}

# SIGUSR1 prints tcpdump's three counts, between packets; of those that were received, ones on loopback were seen twice. Never SIGUSR2, which flushes out of the signal handler: in the
# middle of a write it ruins the file (tcpdump.c, flushpcap; seen on 4.99).
tcpdump_counts() {
  local line
  [[ ${1-} == ended ]] || kill -USR1 "$tool_pid" 2>/dev/null
  counts=()
  line=$(grep -oE '[0-9]+ packets? (captured|received by filter|dropped by kernel)' "$OUT/tcpdump.log" | tail -n3)
  [[ $line =~ ([0-9]+)\ packets?\ captured ]] && counts+=(packets: "${BASH_REMATCH[1]}")
  [[ $line =~ ([0-9]+)\ packets?\ received ]] && counts+=(received: "${BASH_REMATCH[1]}")
  [[ $line =~ ([0-9]+)\ packets?\ dropped ]] && counts+=(dropped: "${BASH_REMATCH[1]}")
  counts+=(buffer: "$tcpdump_buffer")
}

# The kernel hands packets over by blocks, when one is full or a second old (Documentation/networking/packet_mmap.rst,
# tp_retire_blk_tov; a second is tcpdump's time-out): what came last stands in one that tcpdump would never see. So it
# goes on until it has as many as the kernel had received by now, or what there was is a second old.
tcpdump_drains() {
  local -i asked=0 answered answers=0 wanted=0 until
  answered=$(grep -c 'dropped by kernel' "$OUT/tcpdump.log")
  now_ms
  until=$((now + 1100))
  while tool_is_running && ((now < until)); do
    # One question at a time: its answer is the next line of drops.
    if ((asked <= answered)); then
      asked=$((answered + 1))
      kill -USR1 "$tool_pid" 2>/dev/null
    fi
    pause 0.02
    now_ms
    answered=$(grep -c 'dropped by kernel' "$OUT/tcpdump.log")
    ((answered < asked)) && continue
    # The first answer may be to a question from before the end.
    answers+=1
    tcpdump_counts ended
    ((answers == 2)) && wanted=${counts[3]:-0}
    ((answers >= 2 && ${counts[1]:-0} + ${counts[5]:-0} >= wanted)) && break
  done
  now_ms
  stopped=$now
}

tcpdump_stop() {
  # A disk that gets full, and a pod that is told to go, do not wait.
  case $end_reason in
    space | terminated) ;;
    *) tcpdump_drains ;;
  esac
  kill -INT "$tool_pid" 2>/dev/null
  tool_ends 10
}

tcpdump_finish() {
  [[ -s $OUT/capture.pcap ]] || refuse tcpdump-failed log tcpdump.log
  tcpdump_counts ended
  # What cannot be compressed is kept as it is: there is no room for a second copy, or gzip was killed.
  if ! gzip -1 -c "$OUT/capture.pcap" >"$OUT/capture.pcap.part"; then
    rm -f "$OUT/capture.pcap.part"
    announce packets capture.pcap
    return
  fi
  mv "$OUT/capture.pcap.part" "$OUT/capture.pcap.gz"
  rm -f "$OUT/capture.pcap"
  announce packets capture.pcap.gz
}
