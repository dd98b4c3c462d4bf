# The shell half of waits: what the threads of a pod or of a container wait for. The sampler, of perl, looks at them.

ARGUMENT_TYPE[rate]='[1-9][0-9]{0,2}'
COLLECTOR_ARGUMENTS[waits]='rate'
COLLECTOR_SCOPES[waits]='pod|container'
COLLECTOR_WORDS[waits]=''

waits_run() { capture_until_end; }

# perl-base is a part of every Debian. ip and nsenter check the network namespace.
waits_needs() {
  tools=(perl gzip nsenter ip)
  packages=(perl-base iproute2)
}

waits_version() { perl -e 'printf "perl %vd\n", $^V'; }

waits_prepare() {
  find_cgroup_root || refuse no-cgroup-mount
  find_pod_cgroup || refuse pod-not-found
  watched_cgroup=$pod_cgroup
  if [[ ${arg[scope]} == container ]]; then
    find_container_cgroup "${arg[container_id]}" || refuse container-not-found
    watched_cgroup=$container_cgroup
  fi
  # Without it the peers have no names, but everything else is there.
  open_pod_netns || netns=''
}

# The raw file is where `files` can read it, so it is not lost if this container dies. Three files of each thread stay open.
waits_start() {
  local cpu_limits cpu_usage
  local -i most
  find_cpu_trees "$watched_cgroup"
  printf '%s' "$waits_program" >"$WORK/waits.pl"
  : >"$OUT/waits.txt"
  (
    ulimit -n 16384 2>/dev/null || ulimit -n "$(ulimit -Hn)"
    most=$((($(ulimit -n) - 300) / 3))
    ((most <= 4000)) || most=4000
    exec perl "$WORK/waits.pl" "$OUT/waits.txt" "$WORK/reason" "$(uname -m)" "${arg[rate]}" "$most" "$netns" "${arg[container_ids]}" \
      "$cgroup_root/$watched_cgroup" "$watched_cgroup" "$cpu_limits" "$cpu_usage" "$(getconf CLK_TCK)"
  ) 2>"$OUT/waits.log" </dev/null &
  tool_pid=$!
  until [[ -s $OUT/waits.txt ]]; do
    tool_is_running || tool_failed waits-failed waits.log
    pause 0.02
  done
}

waits_bytes() {
  bytes=$(stat -c %s "$OUT/waits.txt" 2>/dev/null) || bytes=0
}

waits_counts() { counts=(); }

waits_stop() {
  printf '%s\n' "$end_reason" >"$WORK/reason"
  kill -TERM "$tool_pid" 2>/dev/null
  tool_ends 10
}

waits_finish() {
  [[ -s $OUT/waits.txt ]] || tool_failed waits-failed waits.log
  # If it cannot be compressed (no room for a second copy, or gzip was killed), the file is kept as it is.
  if ! gzip -c "$OUT/waits.txt" >"$OUT/waits.txt.part"; then
    rm -f "$OUT/waits.txt.part"
    announce waits waits.txt
    return
  fi
  mv "$OUT/waits.txt.part" "$OUT/waits.txt.gz"
  rm -f "$OUT/waits.txt"
  announce waits waits.txt.gz
}
