# The life of the script on the node. A capture is prepared, started, stopped when a limit is reached, finished and announced.
# The parts before this one have the functions; the plan comes in the arguments. A pod records one target, or several of them
# at the same time, each by a recorder, which is a shell of its own.

umask 027
export LC_ALL=C TZ=UTC
readonly ARGUMENT_TYPE COLLECTOR_ARGUMENTS COLLECTOR_SCOPES COLLECTOR_WORDS

# pause SECONDS: sleeps without a process, by waiting for a fifo that nobody ever writes to.
pause() { read -rt "$1" -u "$tick" _ || :; }

# start_tool COMMAND…: starts the tool. It holds a pipe open, so that tool_pause learns of its end. Without `<&0` the input of what
# runs in the background would be /dev/null.
start_tool() {
  local held
  exec {held}<>"$WORK/ends"
  "$@" <&0 &
  tool_pid=$!
  exec {ends}<"$WORK/ends" {held}>&-
}

# tool_pause SECONDS: sleeps until the tool ends, but no longer than that. A tool that has closed the pipe ends in a moment.
tool_pause() { read -rt "$1" -u "$ends" _ || (($? > 128)) || pause 0.001; }

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
      tool_pause 0.02
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
  local missing
  local -a tools packages
  "${collector}_needs"
  tools_are_there && return
  [[ ${arg[install]} == 1 ]] || refuse tool-missing tools "$missing"
  emit installing tools "$missing"
  alone install_tools || refuse install-failed log install.log
  emit installed
}

# Sets missing to the tools that are not there.
tools_are_there() {
  local tool
  missing=
  for tool in "${tools[@]}"; do
    type -P "$tool" >/dev/null || missing+=${missing:+,}$tool
  done
  [[ -z $missing ]]
}

# One recorder installs the tools for all. What it could not do, the others do not try again.
install_tools() {
  tools_are_there && return
  if [[ ! -e $SHARED/install.log ]]; then
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"; } \
      >"$OUT/install.log" 2>&1 </dev/null && return
    cp "$OUT/install.log" "$SHARED/install.log"
  fi
  cp "$SHARED/install.log" "$OUT/install.log"
  return 1
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
  tool_version=$("${collector}_version" 2>/dev/null)
  emit tool version "$tool_version"
  wait_for_end
  emit stopping reason "$end_reason"
  now_ms
  stopped=$now
  "${collector}_stop"
  if [[ $end_reason == tool-ended && ${arg[count]:-0} != 0 && $tool_status == 0 ]]; then end_reason='count'; fi
  counts=()
  take_turn
  "${collector}_finish"
  emit 'end' reason "$end_reason" status: "$tool_status" stopped: "$stopped" "${counts[@]}"
}

# Waits until it is this recorder's turn to finish: perf script and gzip keep a CPU busy, and perf script needs much memory. The
# turn ends with the recorder. Nobody waits for longer than the plan allows for it (captureSeconds in src/plan/plan.ts), nor
# if the pod is being deleted.
take_turn() {
  local -i until
  [[ -n $turns ]] || return 0
  now_ms
  until=$((now + 30000 * (recorders - 1)))
  while ((now < until)) && [[ $end_reason != terminated ]]; do
    if read -rt 0.2 -u "$turns"; then
      trap 'printf "\n" >&"$turns"' EXIT
      return
    fi
    now_ms
  done
}

# record FOLDER WORD…: one recorder, from its arguments to its end. FOLDER is what its folders have behind the names of the pod's.
record() {
  OUT+=$1 WORK+=$1
  shift
  readonly OUT WORK
  mkdir -p "$OUT"
  mkdir -m 700 "$WORK"
  export HOME=$WORK
  read_arguments "$@"
  collector=${arg[collector]}
  mkfifo "$WORK/tick" "$WORK/ends"
  exec {tick}<>"$WORK/tick"
  ends=$tick
  tool_pid='' tool_status=0 end_reason=''
  trap 'end_reason="terminated"' TERM INT
  emit hello collector "$collector" kernel "$(uname -r)"
  tools_ready
  [[ -z ${arg[pod_uid]-} ]] || pod_is_of_namespace || refuse wrong-namespace
  "${collector}_run"
  : >"$OUT/done"
}

# read_recorders recorders=N (recorder=W WORD…)…: sets list_words to all of them, and list_begins and list_counts to where the
# words of each recorder are. No other word begins like these: the admission policy tells the recorders apart by them, not by
# the counts. Only collectors that record keep to the folders of their recorder.
read_recorders() {
  local word
  local -i at=1 marks=0
  list_words=("$@") list_begins=() list_counts=()
  [[ $1 =~ ^recorders=([1-9][0-9]{0,2})$ ]] || refuse bad-argument
  recorders=${BASH_REMATCH[1]}
  for word in "$@"; do [[ $word != recorder=* ]] || marks+=1; done
  [[ ${list_words[3]-} =~ ^collector=([a-z]+)$ ]] || refuse bad-argument
  declare -F "${BASH_REMATCH[1]}_finish" >/dev/null || refuse bad-argument
  while ((at < $#)); do
    [[ ${list_words[at]} =~ ^recorder=([1-9][0-9]{0,4})$ && ${list_words[at + 2]-} == "${list_words[3]}" ]] || refuse bad-argument
    list_begins+=($((at + 1)))
    list_counts+=("${BASH_REMATCH[1]}")
    at+=$((1 + BASH_REMATCH[1]))
  done
  ((at == $# && recorders > 1 && ${#list_begins[@]} == recorders && marks == recorders)) || refuse bad-argument
}

# record_all WORD…: several recorders. Fails if none of them could do its work.
record_all() {
  local -a list_words list_begins list_counts list_pids=()
  local -i number failed=0
  local pid is_terminated=''
  mkdir "$OUT"
  read_recorders "$@"
  mkdir -m 700 "$WORK"
  mkfifo "$WORK/alone" "$WORK/turns"
  exec {alone}<>"$WORK/alone" {turns}<>"$WORK/turns"
  printf '\n' >&"$alone"
  # As many finish at once as there are CPUs.
  at_once=$(getconf _NPROCESSORS_ONLN)
  ((at_once <= recorders)) || at_once=$recorders
  for ((number = 0; number < at_once; number++)); do printf '\n' >&"$turns"; done
  trap 'is_terminated=1; pass_on' TERM INT
  for ((number = 0; number < recorders; number++)); do
    (record "/$((number + 1))" "${list_words[@]:list_begins[number]:list_counts[number]}") &
    list_pids+=($!)
  done
  # Those that were not there yet.
  [[ -z $is_terminated ]] || pass_on
  for pid in "${list_pids[@]}"; do
    # A signal ends the wait, but not the recorder.
    until
      wait "$pid"
      [[ $'\n'$(jobs -rp)$'\n' != *$'\n'"$pid"$'\n'* ]]
    do :; done
    wait "$pid" || failed+=1
  done
  : >"$OUT/done"
  ((failed < recorders))
}

# Tells the recorders that the pod is being deleted.
pass_on() {
  local pid
  for pid in $(jobs -rp); do kill -TERM "$pid" 2>/dev/null; done
}

make_scratch || exit
if [[ ${1-} == recorders=* ]]; then record_all "$@"; else record '' "$@"; fi
