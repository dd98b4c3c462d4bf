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

# The raw file lies where `files` can read it, so that it is not lost when this container is.
# Capturing begins when perf acknowledges `enable`, not when it was started.
# --no-bpf-event: without it perf takes a second longer than asked. --buildid-mmap: build ids in the file, so that
# a program that ended or was replaced gives unknown frames, never another program's names.
perf_start() {
  local answer='' said=''
  mkfifo "$WORK/perf.control" "$WORK/perf.answer"
  exec 8<>"$WORK/perf.control" 9<>"$WORK/perf.answer"
  : >"$OUT/perf.data" # perf would make one that nobody else can read
  perf record --no-bpf-event --buildid-mmap -F "${arg[frequency]}" -g -a -e cycles "${perf_scope[@]}" \
    --control=fd:8,9 -D -1 -o "$OUT/perf.data" >"$OUT/perf.log" 2>&1 </dev/null &
  tool_pid=$!
  printf 'enable\n' >&8
  now_ms
  local -i until=$((now + 30000))
  # On a busy node the time of a read can be up in the middle of the word: what came until then is kept.
  while read -rt 0.05 -u 9 answer || :; said+=$answer; [[ $said != *ack* ]]; do
    now_ms
    if ! tool_is_running || ((now >= until)); then
      kill -KILL "$tool_pid" 2>/dev/null
      refuse perf-failed log perf.log
    fi
  done
}

perf_bytes() {
  bytes=$(stat -c %s "$OUT/perf.data" 2>/dev/null) || bytes=0
  [[ $bytes == "${perf_mended-0}" ]] || perf_mend
}

# perf writes how long its data is when it ends, and one that is killed never does: then nothing reads the file. So it
# is written here, whenever the file has grown and when perf was killed (struct perf_file_header: where the data begins
# is at byte 40, its length at 48, eight bytes each, little-endian on every architecture that runs this).
perf_mend() {
  local begin field=
  local -i at length
  perf_mended=$bytes
  ((bytes > 56)) || return 0
  begin=$(od -An -tu8 -j40 -N8 "$OUT/perf.data")
  length=$((bytes - begin))
  ((begin > 0 && length > 0)) || return 0
  for ((at = 0; at < 64; at += 8)); do printf -v field '%s\\x%02x' "$field" $((length >> at & 255)); done
  printf '%b' "$field" | dd of="$OUT/perf.data" bs=1 seek=48 conv=notrunc status=none
}

# perf keeps samples to itself until its buffers are half full; a ping makes it write them. Its answers are not let
# pile up: it would wait for room.
perf_counts() {
  local answer
  counts=()
  printf 'ping\n' >&8
  while read -rt 0.001 -u 9 answer; do :; done
}

perf_stop() {
  printf 'stop\n' >&8 2>/dev/null
  tool_ends 20
}

# perf script runs here, at once, while the processes live and their files can be found (hostPID lets perf enter
# their mount namespaces); inlined frames are not expanded, because that can take longer than the capture.
perf_finish() {
  [[ -s $OUT/perf.data ]] || refuse perf-failed log perf.log
  # Ended by SIGINT or SIGTERM it has written all.
  ((tool_status <= 128 || tool_status == 130 || tool_status == 143)) || perf_bytes
  # Within what the plan allows a capture to take in all (captureSeconds in src/plan.ts).
  if ! timeout -k 5 "$((arg[duration_ms] / 1000 + 240))" perf script -i "$OUT/perf.data" --header --no-inline --show-lost-events \
    -F comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso 2>"$OUT/perf-script.log" </dev/null |
    gzip -c >"$WORK/perf-script.txt.gz"; then
    refuse perf-script-failed log perf-script.log
  fi
  mv "$WORK/perf-script.txt.gz" "$OUT/perf-script.txt.gz"
  rm -f "$OUT/perf.data"
  announce stacks perf-script.txt.gz
}
