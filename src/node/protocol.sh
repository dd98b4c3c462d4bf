# The events of the debug pod: one JSON object per line, on stdout and in events.jsonl. src/node/events.ts reads them, and
# knows every event and key. No filter, address, thread name or path is in an event, because container logs are often sent
# to a central store; what a tool prints goes to a file in scratch. No event has more than 4096 bytes: so many a pipe takes as a
# whole (pipe(7), PIPE_BUF), and the events of several recorders do not mix.

# The folder that both containers of the pod see: a volume, or memory (node/memory.sh).
scratch=/gkeprof
[[ $(</proc/self/mounts) == *" $scratch "* ]] || scratch=/dev/shm/gkeprof
# Each recorder has an OUT and a WORK of its own, if the pod has several (node/capture.sh).
OUT=$scratch/out WORK=$scratch/work
readonly scratch CTL=$scratch/ctl SHARED=$scratch/work
recorders=1 at_once=1 alone='' turns=''
sequence=0

# Sets now to milliseconds since the epoch, without a process: EPOCHREALTIME has microseconds, and the locale's comma.
now_ms() {
  local stamp=${EPOCHREALTIME/[.,]/}
  now=${stamp%???}
}

# A JSON string: quotes, backslashes and everything that is not printable ASCII are escaped, byte by byte.
json_string() {
  local LC_ALL=C text=$1 character code
  local -i at
  quoted='"'
  for ((at = 0; at < ${#text}; at++)); do
    character=${text:at:1}
    case $character in
      '"' | "\\") quoted+="\\$character" ;;
      [\ -~]) quoted+=$character ;;
      *)
        printf -v code '%d' "'$character"
        printf -v code '\\u%04x' "$((code & 255))"
        quoted+=$code
        ;;
    esac
  done
  quoted+='"'
}

# emit EVENT [KEY VALUE | KEY: NUMBER]…: a key that ends in a colon has a whole number as its value.
emit() {
  local event=$1 line
  shift
  now_ms
  sequence=$((sequence + 1))
  json_string "${arg[nonce]-}"
  line="{\"gkeprof\":1,\"seq\":$sequence,\"nonce\":$quoted,\"t\":$now"
  json_string "$event"
  line+=",\"event\":$quoted"
  while (($# >= 2)); do
    if [[ $1 == *: && $2 =~ ^-?[0-9]+$ ]]; then
      json_string "${1%:}"
      line+=",$quoted:$2"
    else
      json_string "${1%:}"
      line+=",$quoted"
      json_string "$2"
      line+=":$quoted"
    fi
    shift 2
  done
  printf '%s}\n' "$line" >>"$OUT/events.jsonl"
  # With a terminal, stdout is what the user sees.
  [[ ${arg[tty]-} == 1 ]] || printf '%s}\n' "$line"
}

# refuse CODE [KEY VALUE]…: ends the recorder, because it cannot do its work. `log` names the file in scratch with the tool's words.
refuse() {
  emit refused code "$@"
  : >"$OUT/done"
  exit 1
}

# announce ROLE FILE: tells the client that the artifact is whole and will not change any more.
announce() {
  local role=$1 file=$2 sum
  sum=$(sha256sum <"$OUT/$file")
  emit artifact role "$role" file "$file" bytes: "$(stat -c %s "$OUT/$file")" sha256 "${sum%% *}"
}

# Sets free_bytes and free_percent for the file system that scratch is on.
free_space() {
  local available total block
  read -r available total block < <(stat -f -c '%a %b %S' "$WORK")
  free_bytes=$((available * block))
  free_percent=$((total > 0 ? available * 100 / total : 100))
}

# alone COMMAND…: runs it while no other recorder of the pod does such a thing. It must not end the recorder.
alone() {
  local -i status=0 is_held=0
  [[ -z $alone ]] || ! read -rt 240 -u "$alone" || is_held=1
  "$@" || status=$?
  ((is_held == 0)) || printf '\n' >&"$alone"
  return $status
}
