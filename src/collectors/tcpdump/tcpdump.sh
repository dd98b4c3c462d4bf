# The shell half of tcpdump: packets of a node, of the node's end of a pod's interface, or of a pod's network namespace.

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
  # The filter begins after the first `--`: no option before it can have `--` as its value.
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
      # tcpdump also knows interfaces that are no network links (usbmon1, nflog): they are the node's, not the pod's.
      [[ $tcpdump_interface == any ]] || "${tcpdump_enter[@]}" ip link show dev "$tcpdump_interface" >/dev/null 2>&1 || refuse no-interface
      ;;
    iface)
      alone find_host_interface || refuse no-interface
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
  # Before the capture the filter is compiled for the link type that it will meet: `any` has no Ethernet header.
  if ! tcpdump -y "${arg[link_type]:-$link}" -d -- "${filter[@]}" >"$OUT/tcpdump.log" 2>&1; then
    refuse filter-rejected log tcpdump.log
  fi
}

# Prints the node's available memory, in KiB.
tcpdump_spare_memory() { sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo; }

# Sets tcpdump_buffer to the size of the kernel's buffer, in KiB. tcpdump's default of 2 MiB is full within a few milliseconds
# while tcpdump writes slowly: a quarter of bursts of 30 MB/s was lost. So the buffer is 1/128 of the available memory, 64 MiB
# at most, unless -B gives a size; those of all recorders of the pod have 1/16 together. If the kernel cannot allocate it,
# libpcap takes less (pcap-linux.c, create_ring).
tcpdump_sizes_buffer() {
  local -i at spare
  spare=$(tcpdump_spare_memory)
  tcpdump_buffer=$((recorders > 8 ? spare / 16 / recorders : spare / 128))
  ((tcpdump_buffer >= 2048)) || tcpdump_buffer=2048
  ((tcpdump_buffer <= 65536)) || tcpdump_buffer=65536
  for ((at = 0; at < ${#tool_args[@]}; at++)); do
    [[ ${tool_args[at]} == -- ]] && break
    [[ ${tool_args[at]} != -B ]] || tcpdump_buffer=$((10#${tool_args[at + 1]}))
  done
}

# The raw file is where `files` can read it, so it is not lost if this container dies. tcpdump stays root (-Z): the volume is the
# pod's own, and the user that it would change to may not exist. -U writes each packet when it comes, so a tcpdump that is
# killed loses none.
tcpdump_start() {
  tcpdump_sizes_buffer
  "${tcpdump_enter[@]}" tcpdump -Z root -U -B "$tcpdump_buffer" -i "$tcpdump_interface" -w "$OUT/capture.pcap" "${tool_args[@]}" \
    2>"$OUT/tcpdump.log" >/dev/null </dev/null &
  tool_pid=$!
  until grep -q 'listening on' "$OUT/tcpdump.log" 2>/dev/null; do
    tool_is_running || tool_failed tcpdump-failed tcpdump.log
    pause 0.02
  done
}

tcpdump_bytes() {
  bytes=$(stat -c %s "$OUT/capture.pcap" 2>/dev/null) || bytes=0
}

# SIGUSR1 makes tcpdump print its three counts between two packets. Packets on loopback count twice as received. SIGUSR2 is
# never sent: it flushes inside the signal handler, and in the middle of a write that damages the file (tcpdump.c, flushpcap;
# seen with 4.99).
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

# The kernel hands packets over in blocks, each when it is full or a second old (Documentation/networking/packet_mmap.rst,
# tp_retire_blk_tov; a second is tcpdump's time-out). If tcpdump ended at once, it would miss the last block. So it goes on
# until it has as many packets as the kernel has received by now, or until a second is over.
tcpdump_drains() {
  local -i asked=0 answered answers=0 wanted=0 until
  answered=$(grep -c 'dropped by kernel' "$OUT/tcpdump.log")
  now_ms
  until=$((now + 1100))
  while tool_is_running && ((now < until)); do
    # One question at a time: its answer ends with the next line about dropped packets.
    if ((asked <= answered)); then
      asked=$((answered + 1))
      kill -USR1 "$tool_pid" 2>/dev/null
    fi
    pause 0.02
    now_ms
    answered=$(grep -c 'dropped by kernel' "$OUT/tcpdump.log")
    ((answered < asked)) && continue
    # The first answer may belong to a question from before the end.
    answers+=1
    tcpdump_counts ended
    ((answers == 2)) && wanted=${counts[3]:-0}
    ((answers >= 2 && ${counts[1]:-0} + ${counts[5]:-0} >= wanted)) && break
  done
  now_ms
  stopped=$now
}

tcpdump_stop() {
  # There is no time for that if the disk is nearly full, or if the pod is being deleted.
  case $end_reason in
    space | terminated) ;;
    *) tcpdump_drains ;;
  esac
  kill -INT "$tool_pid" 2>/dev/null
  tool_ends 10
}

# tcpdump does not look whether a write succeeds. On a full disk it goes on and counts packets that are in no file, and the file ends
# within a packet. So the packets in the file are counted, which tcpdump does since 4.99.
tcpdump_counts_file() {
  [[ ${counts[0]} == packets: && $(tcpdump -Z root --count -r "$OUT/capture.pcap" 2>/dev/null) =~ ^([0-9]+)\ packet ]] || return 0
  ((BASH_REMATCH[1] < counts[1])) || return 0
  counts[1]=${BASH_REMATCH[1]}
  counts+=(cut space)
}

tcpdump_finish() {
  [[ -s $OUT/capture.pcap ]] || tool_failed tcpdump-failed tcpdump.log
  tcpdump_counts ended
  # If it cannot be compressed (no room for a second copy, or gzip was killed), the file is kept as it is.
  if ! gzip -1 -c "$OUT/capture.pcap" >"$OUT/capture.pcap.part"; then
    rm -f "$OUT/capture.pcap.part"
    tcpdump_counts_file
    announce packets capture.pcap
    return
  fi
  [[ $end_reason != space ]] || tcpdump_counts_file
  mv "$OUT/capture.pcap.part" "$OUT/capture.pcap.gz"
  rm -f "$OUT/capture.pcap"
  announce packets capture.pcap.gz
}
