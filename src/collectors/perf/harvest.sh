# The files of programs whose names perf could not read by itself, for its cache of build ids.
#
# perf script opens a file by its path, in the mount namespace of the process that mapped it last. If that process has ended,
# as of a server that starts a program for each request, or if the file was replaced meanwhile, there is no such file, and
# all its functions are unknown. perf looks into its cache of build ids ($HOME/.debug) first. So what has samples and cannot
# be opened is looked for by its build id: in files that processes had mapped during the recording, and by its path in the
# roots of the containers that still live. What has another build id is never taken.

# Bytes of the largest file that is copied, and of all together; and for how long they are looked for, in seconds.
harvest_file_bytes=$((256 << 20)) harvest_all_bytes=$((1 << 30)) harvest_seconds=10
harvest_pid='' harvest_counts=()
# perf looks for the maps of JIT compilers there, if their processes have ended or have none in their own /tmp.
harvest_maps=/tmp

# The program is made of jitdump.pl, hold.pl and cache.pl (perf.ts).
harvest_write() { printf '%s' "$perf_program" >"$WORK/harvest.pl"; }

# Begins to look at the files of the scope's processes, while the recording runs.
harvest_begin() {
  type -P perl >/dev/null || return 0
  harvest_write
  rm -f "$WORK/harvest.ask"
  mkfifo "$WORK/harvest.ask"
  exec {harvest_ask}<>"$WORK/harvest.ask"
  harvest_run watch "$WORK/harvest.ask"
}

# harvest_run watch|fill FILE: starts the program, which is asked by FILE, and answers by a pipe: a line `heard`, one for each file that
# is not there, and `taken`, which is the last. The space for its copies is what the node can spare.
harvest_run() {
  local folder=$cgroup_root/$watched_cgroup
  local -i most=$harvest_all_bytes
  [[ ${arg[scope]} != node ]] || folder=''
  free_space
  ((free_percent > arg[min_free_percent] && most <= free_bytes / 4 / recorders)) || most=$((free_bytes / 4 / recorders))
  ((free_percent > arg[min_free_percent])) || most=0
  exec {harvest_said}< <(
    ulimit -n 8192 || ulimit -n "$(ulimit -Hn)"
    [[ -z ${harvest_ask-} ]] || exec {harvest_ask}>&-
    exec perl "$WORK/harvest.pl" "$1" "$WORK" "$OUT/perf.data" "$harvest_maps" "$folder" "$harvest_file_bytes" "$most" \
      "$perf_map_bytes" "$harvest_seconds" "$recorders" <"$2" 2>"$OUT/harvest.log"
  )
  harvest_pid=$!
}

# harvest_hears SECONDS: reads a line of the program. Fails if it has ended, or if it says nothing in time: then it is ended, but nobody
# waits for a process that the kernel does not let end.
harvest_hears() {
  read -rt "$1" -u "$harvest_said" word count bytes rest && return
  (($? > 128)) || return 1
  why='time'
  kill -KILL "$harvest_pid" 2>/dev/null
  return 1
}

# Asks the program to fill the cache of build ids.
harvest_ask() { [[ -z ${harvest_ask-} ]] || printf 'fill\n' >&"$harvest_ask"; }

# Waits until the cache of build ids is filled, before perf script reads it. If a file system held the program up while the
# recording ran, what it held is lost, and another one looks only for what is still there.
harvest_fill() {
  local word='' count bytes rest why=''
  local -i missed=0 until
  harvest_counts=()
  if ! type -P perl >/dev/null; then
    harvest_counts=(unharvested: 0 unharvested_why tools)
    return
  fi
  if [[ -z $harvest_pid ]] || ! harvest_hears 3; then harvest_run fill /dev/null; fi
  why='' until=$((SECONDS + harvest_seconds + 5))
  : >"$WORK/not-read"
  while [[ $word != taken ]] && harvest_hears $((until > SECONDS ? until - SECONDS : 1)); do
    case $word in
      taken) harvest_counts+=(harvested: "$count" harvested_bytes: "$bytes") ;;
      late) why='time' ;;
      missed)
        why=$count
        missed+=1
        printf '# not read : %s: %s\n' "$count" "$bytes${rest:+ $rest}" >>"$WORK/not-read"
        ;;
    esac
  done
  [[ -z $why ]] || harvest_counts+=(unharvested: "$missed" unharvested_why "$why")
}
