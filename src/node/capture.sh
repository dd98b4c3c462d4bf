# The life of the script on the node. A capture is prepared, started, stopped when a limit is reached, finished and announced.
# The parts before this one have the functions; the plan comes in the arguments.

umask 027
mkdir "$OUT"
mkdir -m 700 "$WORK"
export HOME=$WORK LC_ALL=C TZ=UTC
readonly ARGUMENT_TYPE COLLECTOR_ARGUMENTS COLLECTOR_SCOPES COLLECTOR_WORDS
read_arguments "$@"
collector=${arg[collector]}
mkfifo "$WORK/tick"
exec {tick}<>"$WORK/tick"
tool_pid='' tool_status=0 end_reason=''
trap 'end_reason="terminated"' TERM INT

# pause SECONDS: sleeps without a process, by waiting for a fifo that nobody ever writes to.
pause() { read -rt "$1" -u "$tick" _ || :; }

tool_is_running() { [[ -n $tool_pid ]] && kill -0 "$tool_pid" 2>/dev/null; }

# tool_ends SECONDS: waits for the tool, which was asked to end, and sets tool_status. If it does not end in time it gets SIGINT,
# and then SIGKILL: even if it hangs, the capture is over, and the file that it wrote is there.
tool_ends() {
  local -i until
  local signal
  for signal in INT KILL; do
    now_ms
    until=$((now + $1 * 1000))
    while tool_is_running && ((now < until)); do
      pause 0.02
      now_ms
    done
    tool_is_running || break
    kill -"$signal" "$tool_pid" 2>/dev/null
  done
  wait "$tool_pid"
  tool_status=$?
}

# Refuses if tools are missing, unless the plan says to install them (for a plain Debian image).
tools_ready() {
  local tool missing=
  local -a tools packages
  "${collector}_needs"
  for tool in "${tools[@]}"; do
    type -P "$tool" >/dev/null || missing+=${missing:+,}$tool
  done
  [[ -z $missing ]] && return
  [[ ${arg[install]} == 1 ]] || refuse tool-missing tools "$missing"
  emit installing tools "$missing"
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"; } \
    >"$OUT/install.log" 2>&1 </dev/null; then
    refuse install-failed log install.log
  fi
  emit installed
}

# When less than 10 % of the disk (nodefs) is free, the kubelet evicts this pod and then other pods: stop before that.
enough_space() {
  free_space
  ((free_percent >= arg[min_free_percent]))
}

# Each look at the size takes a process. So it is looked at once a second, and four times a second when the limit is near: when eight
# pieces as large as the last one would reach it.
wait_for_end() {
  local -i end check=0 size=0 before=0 report=0 left
  now_ms
  end=$((now + arg[duration_ms]))
  report=$((now + 1000))
  until [[ -n $end_reason ]]; do
    now_ms
    if [[ -e $CTL/stop ]]; then
      end_reason='requested'
    elif ! tool_is_running; then
      end_reason='tool-ended'
    elif ((now >= end)); then
      end_reason='time'
    elif ((now >= check)); then
      check=$((now + 250))
      if ((now >= size)); then
        "${collector}_bytes"
        if ((8 * (bytes - before) < arg[max_bytes] - bytes)); then size=$((now + 1000)); fi
        before=$bytes
      fi
      if ((bytes >= arg[max_bytes])); then
        end_reason='size'
      elif target_is_gone; then
        end_reason='target-gone'
      elif ((now >= report)); then
        report=$((now + 2000))
        enough_space || end_reason='space'
        "${collector}_counts"
        emit progress bytes: "$bytes" free: "$free_bytes" "${counts[@]}"
      fi
    fi
    [[ -n $end_reason ]] && break
    left=$((end - now))
    if ((left >= 100)); then pause 0.1; elif ((left > 0)); then pause "0.$(printf %03d "$left")"; fi
  done
}

# A capture, from its start to its artifact: the work of every collector that records something.
capture_until_end() {
  enough_space || refuse no-space
  "${collector}_prepare"
  began=() # what the collector adds to the event
  "${collector}_start"
  emit capturing "${began[@]}"
  emit tool version "$("${collector}_version" 2>/dev/null)"
  wait_for_end
  emit stopping reason "$end_reason"
  now_ms
  stopped=$now
  "${collector}_stop"
  if [[ $end_reason == tool-ended && ${arg[count]:-0} != 0 && $tool_status == 0 ]]; then end_reason='count'; fi
  counts=()
  "${collector}_finish"
  emit 'end' reason "$end_reason" status: "$tool_status" stopped: "$stopped" "${counts[@]}"
}

emit hello collector "$collector" kernel "$(uname -r)"
tools_ready
[[ -z ${arg[pod_uid]-} ]] || pod_is_of_namespace || refuse wrong-namespace
"${collector}_run"
: >"$OUT/done"
