# The collector `perf`: CPU samples of a node, a pod or a container.

perf_needs() {
  tools=(perf gzip)
  packages=(linux-perf)
}

perf_version() { perf version; }

perf_prepare() {
  perf_scope=()
  if [[ ${arg[scope]} != node ]]; then
    find_cgroup_root || refuse no-cgroup-mount
    find_pod_cgroup || refuse pod-not-found
    watched_cgroup=$pod_cgroup
    if [[ ${arg[scope]} == container ]]; then
      find_container_cgroup "${arg[container_id]}" || refuse container-not-found
      watched_cgroup=$container_cgroup
    fi
    # A cgroup includes its descendants; perf wants the event before the cgroup, and all processors.
    perf_scope=(--cgroup "$watched_cgroup")
  fi
}

# Capturing begins when perf acknowledges `enable`, not when it was started.
# --no-bpf-event: without it perf takes a second longer than asked. --buildid-mmap: build ids in the file, so that
# a program that ended or was replaced gives unknown frames, never another program's names.
perf_start() {
  local answer=
  mkfifo "$WORK/perf.control" "$WORK/perf.answer"
  exec 8<>"$WORK/perf.control" 9<>"$WORK/perf.answer"
  perf record --no-bpf-event --buildid-mmap -F "${arg[frequency]}" -g -a -e cycles "${perf_scope[@]}" \
    --control=fd:8,9 -D -1 -o "$WORK/perf.data" >"$OUT/perf.log" 2>&1 </dev/null &
  tool_pid=$!
  printf 'enable\n' >&8
  now_ms
  local -i until=$((now + 30000))
  until read -rt 0.05 -u 9 answer && [[ $answer == ack* ]]; do
    now_ms
    if ! tool_is_running || ((now >= until)); then
      kill -KILL "$tool_pid" 2>/dev/null
      refuse perf-failed log perf.log
    fi
  done
}

perf_bytes() {
  bytes=$(stat -c %s "$WORK/perf.data" 2>/dev/null) || bytes=0
}

perf_counts() {
  counts=()
}

perf_stop() {
  printf 'stop\n' >&8 2>/dev/null
  tool_ends 20
}

# perf script runs here, at once, while the processes live and their files can be found (hostPID lets perf enter
# their mount namespaces); inlined frames are not expanded, because that can take longer than the capture.
perf_finish() {
  [[ -s $WORK/perf.data ]] || refuse perf-failed log perf.log
  # Ten times as long as was captured, and five minutes, is more than it ever takes.
  if ! timeout -k 5 "$((arg[duration_ms] / 100 + 300))" perf script -i "$WORK/perf.data" --header --no-inline --show-lost-events \
    -F comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso 2>"$OUT/perf-script.log" </dev/null |
    gzip -c >"$WORK/perf-script.txt.gz"; then
    refuse perf-script-failed log perf-script.log
  fi
  mv "$WORK/perf-script.txt.gz" "$OUT/perf-script.txt.gz"
  announce stacks perf-script.txt.gz
}
