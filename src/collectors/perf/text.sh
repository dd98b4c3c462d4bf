# From perf.data to text: perf script, what perf cannot name, the names of containers, and a text that was cut.

# Whether frames that perf cannot name are to be named by the image's own program (image/unwinder).
perf_names=1

# Whether that is possible: the program needs the offsets in the files, which perf prints since Linux 6.4. The version was asked for
# when the recording began. To ask perf itself for the field took as long as its start, just when everybody waits for the text.
perf_can_name() {
  ((perf_names)) && type -P gkeprof-unwinder >/dev/null && [[ $tool_version =~ ([0-9]+)\.([0-9]+) ]] &&
    ((1000 * 10#${BASH_REMATCH[1]} + 10#${BASH_REMATCH[2]} >= 6004))
}

# perf_container_names: prints the runtime's names of containers as comment lines, `# container: ID UID NAMESPACE POD NAME`. The API
# forgets pods that are deleted, and not every user may list all pods. Nothing else of what crictl says is kept.
perf_container_names() {
  local key text id='' name='' namespace='' pod='' uid=''
  find_node_root
  { find_runtime_socket && find_crictl; } || return 0
  while read -r key text; do
    text=${text//\"/}
    case $key in
      '"id":') id=$text name='' namespace='' pod='' uid='' ;;
      *container.name*) name=$text ;;
      *pod.namespace*) namespace=$text ;;
      *pod.name*) pod=$text ;;
      *pod.uid*) uid=$text ;;
    esac
    # The labels of a container come after its id, each once and in any order.
    [[ -z $id || -z $name || -z $namespace || -z $pod || -z $uid ]] && continue
    printf '# container: %s %s %s %s %s\n' "$id" "$uid" "$namespace" "$pod" "$name"
    id=''
  done < <(run_crictl ps -a -o json 2>/dev/null |
    grep -oE '^ *"id": "[0-9a-f]{64}"|^ *"io\.kubernetes\.(container\.name|pod\.(name|namespace|uid))": "[a-z0-9.-]+"')
}

# perf_script UNTIL: writes the samples as text. Fails if the text is not whole, with the reason in perf_problem.
perf_script() {
  local stacks=$WORK/stacks began=''
  local -i gzip_pid names_pid=0 script_status gzip_status names_status=0
  local -a more=() fields
  [[ ! -e $stacks ]] || rm -f "$stacks" "$WORK/named"
  kernel_check
  mkfifo "$stacks" "$WORK/named"
  perf_watch "$at_once" "$perf_least_kb"
  if perf_can_name; then
    # The program needs to know what was mapped where, and leaves that out of the text.
    more=(dsoff --show-mmap-events)
    gkeprof-unwinder names --cache "$WORK/.debug" <"$WORK/stacks" >"$WORK/named" 2>"$OUT/names.log" &
    names_pid=$!
    stacks=$WORK/named
  fi
  fields=(-F "comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso${more[0]:+,${more[0]}}$perf_fields")
  if [[ -n ${arg[off_cpu]-} ]]; then
    # Who runs next may be of another pod: it is left out.
    fields=(-F "trace:comm,pid,tid,cpu,time,period,event,trace,ip,sym,symoff,dso${more[0]:+,${more[0]}}"
      -F "sw:comm,pid,tid,cpu,time,period,event$perf_fields")
    # The recording begins with the look at the threads, and not with the first of them that leaves a CPU.
    ! read -r _ _ _ began 2>/dev/null <"$WORK/look.start" || began="1i# recording began : $began"
    sed -e "$began" -e '/^[^\t].* context-switches\/[^ ]*:/d' -e 's/\( sched:sched_switch:\) .*\( prev_pid=[0-9]*\) prev_prio=[-0-9]*\( prev_state=[^ ]*\) ==> next_comm=.*/\1\2\3/' <"$stacks" |
      gzip -c >"$WORK/perf-script.txt.gz" &
  else
    gzip -c <"$stacks" >"$WORK/perf-script.txt.gz" &
  fi
  gzip_pid=$!
  start_tool perf_apart script -i "$OUT/perf.data" --header --no-inline --show-lost-events "${more[@]:1}" "${fields[@]}" \
    >"$WORK/stacks" 2>"$OUT/perf-script.log" </dev/null
  while tool_is_running; do
    now_ms
    if ((now >= $1)); then
      perf_problem='time' perf_culprit=''
    elif perf_look; then
      tool_pause 0.05
      continue
    fi
    perf_kill
    # gzip would wait for a perf that cannot be ended.
    if tool_is_running; then
      ((names_pid == 0)) || kill -KILL "$names_pid" 2>/dev/null
      kill -KILL "$gzip_pid" 2>/dev/null
    fi
    break
  done
  script_status=137
  tool_is_running || { wait "$tool_pid" 2>/dev/null && script_status=0 || script_status=$?; }
  # If perf was ended before it had opened the pipe, who reads from it would wait for ever. They may open it only now, so this is
  # repeated.
  while ((script_status)) && kill -0 "$gzip_pid" 2>/dev/null; do
    : <>"$WORK/stacks"
    pause 0.02
  done
  ((names_pid == 0)) || { wait "$names_pid" 2>/dev/null && names_status=0 || names_status=$?; }
  wait "$gzip_pid" 2>/dev/null && gzip_status=0 || gzip_status=$?
  if ((names_status && gzip_status == 0)) && [[ -z $perf_problem ]]; then
    # The names that it adds are not worth a text that is cut.
    perf_names=0
    printf '# names : the program that names what perf cannot name failed with status %d\n' "$names_status" >"$WORK/unnamed"
    perf_script "$1"
    return
  fi
  if ((gzip_status)); then
    perf_problem='space' perf_culprit=''
  elif ((script_status)) && [[ -z $perf_problem ]]; then
    # Somebody else ended it, or it crashed on a file of the namespace where it was last seen.
    perf_problem='failed' perf_culprit=$perf_place
  fi
  [[ -z $perf_problem ]]
}

# Removes the last sample from the text, because it may be cut. Fails if no sample is left.
perf_trim() {
  [[ $perf_problem != space ]] || return 1
  gzip -dc <"$WORK/perf-script.txt.gz" | sed -n -e H -e '/^$/{x;s/^\n//;p;s/.*//;x}' | gzip -c >"$WORK/whole.gz"
  [[ "${PIPESTATUS[*]}" == '0 0 0' ]] || return 1
  mv "$WORK/whole.gz" "$WORK/perf-script.txt.gz"
  gzip -dc <"$WORK/perf-script.txt.gz" | grep -qv '^#'
}
