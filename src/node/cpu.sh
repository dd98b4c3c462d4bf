# What the kernel counted about the CPU of a target between two readings: CPU time, CPU limits and how long they throttled it,
# waiting for a CPU, pressure (PSI) and steal. The samples alone do not tell an idle target from a throttled one.
# A reading starts no process, because a target may have thousands of threads.

# Where procfs is: tests give another folder.
cpu_proc=/proc
# No more threads are read than this, and no longer than this, in microseconds.
cpu_most_threads=5000 cpu_longest_us=500000
# No more cgroups below the target are read than this: a container may make any number of them.
cpu_most_cgroups=1000

# The last reading and the first one: counters by name, with `:CGROUP` behind the name where each cgroup has its own. Times are
# in microseconds. What the kernel does not count is absent.
declare -A cpu_now=() cpu_before=()
# What each thread had used, and how long it had waited for a CPU, at the first reading, in nanoseconds.
declare -A cpu_ran_before=() cpu_waited_before=()

# find_cpu_trees CGROUP: sets cpu_limits to the tree of cgroups with the limits, and cpu_usage to the one with the CPU time. In
# cgroup v1, which may be mounted beside cgroup v2, each of these is a tree of its own.
find_cpu_trees() {
  local directory type options rest
  cpu_limits=$cgroup_root cpu_usage=$cgroup_root
  while read -r _ directory type options rest; do
    [[ $type == cgroup && -d $directory/$1 ]] || continue
    [[ ,$options, != *,cpuacct,* ]] || cpu_usage=$directory
    [[ ,$options, != *,cpu,* ]] || cpu_limits=$directory
  done <"$cpu_proc/self/mounts"
}

# read_cpu_time CGROUP: sets cpu_time to its CPU time. Fails if the kernel does not count it.
read_cpu_time() {
  local key count
  cpu_time=''
  if { read -r count <"$cpu_usage/$1/cpuacct.usage"; } 2>/dev/null; then
    cpu_time=$((count / 1000))
    return
  fi
  while read -r key count; do
    [[ $key != usage_usec ]] || cpu_time=$count
  done 2>/dev/null <"$cgroup_root/$1/cpu.stat"
  [[ -n $cpu_time ]]
}

# read_cpu_limit CGROUP: sets cpu_limit to its own limit in millionths of a core, 0 if it has none. Fails if that is not known.
read_cpu_limit() {
  local quota='' period=''
  { read -r quota period <"$cpu_limits/$1/cpu.max"; } 2>/dev/null ||
    { read -r quota <"$cpu_limits/$1/cpu.cfs_quota_us" && read -r period <"$cpu_limits/$1/cpu.cfs_period_us"; } 2>/dev/null ||
    return 1
  cpu_limit=0
  [[ $quota == max || $quota == -1 ]] || cpu_limit=$((quota * 1000000 / period))
}

# read_throttling CGROUP: how often and how long the limit of this cgroup throttled it, and the limit itself. A cgroup
# does not count what the limits of others do to it.
read_throttling() {
  local key count
  while read -r key count; do
    case $key in
      nr_periods) cpu_now[periods:$1]=$count ;;
      nr_throttled) cpu_now[held:$1]=$count ;;
      throttled_usec) cpu_now[throttled:$1]=$count ;;
      throttled_time) cpu_now[throttled:$1]=$((count / 1000)) ;;
    esac
  done 2>/dev/null <"$cpu_limits/$1/cpu.stat"
  ! read_cpu_limit "$1" || cpu_now[limit:$1]=$cpu_limit
}

# read_limits CGROUP: those of the cgroup, of all above it, and of those right below it. `limit` is the tightest one
# that holds for the whole cgroup, which may be above it: that of a pod may be on the pod's cgroup only.
read_limits() {
  local directory=$1 own
  local -i below=0
  # Of a target that is gone only the limits above it would be read.
  [[ -d $cpu_limits/$1 ]] || return 0
  while [[ $directory != . ]]; do
    read_throttling "$directory"
    own=${cpu_now[limit:$directory]-}
    if [[ -n $own ]] && { [[ -z ${cpu_now[limit]-} ]] || ((own > 0 && (cpu_now[limit] == 0 || own < cpu_now[limit]))); }; then
      cpu_now[limit]=$own
    fi
    [[ $directory == */* ]] || break
    directory=${directory%/*}
  done
  for directory in "$cpu_limits/$1"/*/; do
    directory=${directory%/}
    if [[ ! -d $directory ]] || ((below >= cpu_most_cgroups)); then break; fi
    below+=1
    read_throttling "$1/${directory##*/}"
  done
}

# Whether it is the cgroup of a container that the plan names. The sandbox of a pod is not one of them.
is_target_container() {
  cgroup_container_id "$1" && [[ ,${arg[container_ids]-}, == *,$container_of_cgroup,* ]]
}

# The times of the node's CPUs in ticks, and how many CPUs there are. Guests are in user and nice, too.
read_node_cpu() {
  local key user nice system idle iowait irq softirq steal rest
  local -i cpus=0
  while read -r key user nice system idle iowait irq softirq steal rest; do
    case $key in
      cpu)
        cpu_now[ticks]=$((user + nice + system + idle + iowait + irq + softirq + steal))
        cpu_now[idle]=$((idle + iowait)) cpu_now[steal]=$steal
        ;;
      cpu[0-9]*) cpus+=1 ;;
      *) break ;;
    esac
  done 2>/dev/null <"$cpu_proc/stat"
  ((cpus == 0)) || cpu_now[cpus]=$cpus
}

# The time that all threads of the node waited for a CPU (Linux Documentation/scheduler/sched-stats.rst): the eighth number of
# each CPU, in nanoseconds. Few kernels lack this file, and no thread has to be read for it.
read_node_waits() {
  local key count
  local -i waited=0
  while read -r key _ _ _ _ _ _ _ count _; do
    [[ $key != cpu* ]] || waited+=$count cpu_now[waited]=1
  done 2>/dev/null <"$cpu_proc/schedstat"
  [[ -z ${cpu_now[waited]-} ]] || cpu_now[waited]=$((waited / 1000))
}

# read_cpu_counters CGROUP [POD]: reads the counters of a cgroup, `.` for the whole node, into cpu_now. POD is the cgroup of the
# pod, whose containers are told apart.
read_cpu_counters() {
  local directory key total pressure=$cgroup_root/$1/cpu.pressure
  cpu_now=([at]=${EPOCHREALTIME/[.,]/})
  find_cpu_trees "$1"
  read_node_cpu
  if [[ $1 == . ]]; then
    read_node_waits
    pressure=$cpu_proc/pressure/cpu
  else
    ! read_cpu_time "$1" || cpu_now[used]=$cpu_time
  fi
  [[ -z $cgroup_root ]] || read_limits "$1"
  # How long at least one thread waited (Linux Documentation/accounting/psi.rst).
  while read -r key _ _ _ total; do
    [[ $key != some ]] || cpu_now[pressure]=${total#total=}
  done 2>/dev/null <"$pressure"
  [[ -n ${2-} ]] || return 0
  for directory in "$cgroup_root/$2"/*/; do
    directory=${directory%/}
    is_target_container "$directory" && read_cpu_time "${directory#"$cgroup_root"/}" &&
      cpu_now[container:$container_of_cgroup]=$cpu_time
  done
  return 0
}

# list_threads CGROUP: sets threads to the threads in the cgroup and all below it, and threads_left to their number without
# those of a pod's sandbox.
list_threads() {
  local folder each
  local -a folders=("$cgroup_root/$1") counts_as=(1) more
  # One more than is read, so that read_threads knows that there are more.
  local -i at most=$((cpu_most_threads + 1))
  threads=() threads_left=0
  for ((at = 0; at < ${#folders[@]} && at < cpu_most_cgroups && ${#threads[@]} < most; at++)); do
    folder=${folders[at]} more=()
    { mapfile -tn "$most" more <"$folder/cgroup.threads" || mapfile -tn "$most" more <"$folder/tasks"; } 2>/dev/null
    threads+=("${more[@]}")
    ((counts_as[at] == 0)) || threads_left=$((threads_left + ${#more[@]}))
    for each in "$folder"/*/; do
      [[ -d $each ]] || continue
      folders+=("${each%/}")
      if ((at == 0)) && [[ ${arg[scope]-} == pod ]]; then
        if is_target_container "${each%/}"; then counts_as+=(1); else counts_as+=(0); fi
      else
        counts_as+=("${counts_as[at]}")
      fi
    done
  done
}

# read_threads CGROUP: how long each thread had used a CPU, and waited for one while it was runnable. At the second
# reading it sums up what was added. A thread that began meanwhile counts from its beginning; what one that ended had added
# is not known any more, so the CPU time of those that were read tells how much of the whole this is.
read_threads() {
  local tid ran waited rest threads_left
  local -a threads
  local -i begin=${EPOCHREALTIME/[.,]/} is_first=$((${#cpu_before[@]} == 0)) number=0 seen=0 all_ran=0 all_waited=0
  list_threads "$1"
  for tid in "${threads[@]}"; do
    if ((number >= cpu_most_threads || (number % 256 == 255 && ${EPOCHREALTIME/[.,]/} - begin > cpu_longest_us))); then
      cpu_now[incomplete]=1
      break
    fi
    number+=1
    read -r ran waited rest <"$cpu_proc/$tid/schedstat" || continue
    if ((is_first)); then
      cpu_ran_before[$tid]=$ran cpu_waited_before[$tid]=$waited
      continue
    fi
    # If its counters are smaller, this is another thread with the same number.
    if [[ -n ${cpu_ran_before[$tid]-} ]] && ((ran >= ${cpu_ran_before[$tid]} && waited >= ${cpu_waited_before[$tid]})); then
      seen+=1
      ran=$((ran - ${cpu_ran_before[$tid]})) waited=$((waited - ${cpu_waited_before[$tid]}))
    elif [[ -n ${cpu_before[incomplete]-} ]]; then
      # It may have been there at the first reading.
      continue
    fi
    all_ran+=ran all_waited+=waited
  done 2>/dev/null
  cpu_now[threads]=$threads_left
  ((is_first == 0)) || return 0
  cpu_now[ended]=$((${#cpu_ran_before[@]} - seen))
  cpu_now[ran]=$((all_ran / 1000)) cpu_now[waited]=$((all_waited / 1000))
}

# Keeps the last reading as the first one.
keep_cpu_counters() {
  local key
  for key in "${!cpu_now[@]}"; do cpu_before[$key]=${cpu_now[$key]}; done
}

# cpu_change NAME: sets change to what was added between the readings. Fails if that is not known: a counter that was reset
# meanwhile says nothing, and a negative number would not be a valid event (node/events.ts).
cpu_change() {
  [[ -n ${cpu_before[$1]-} && -n ${cpu_now[$1]-} ]] || return 1
  # With `$`, because a container chooses the names of the cgroups below its own, and older versions of bash run what is in them
  # when they are the index of a bare name in an expression.
  change=$((${cpu_now[$1]} - ${cpu_before[$1]}))
  ((change >= 0))
}

# cpu_role CGROUP OF POD: sets role to what a cgroup is to the cgroup OF, and owner to the id of its container. No path is in
# an event (node/protocol.sh).
cpu_role() {
  owner=''
  case $1 in
    "$2") role='target' ;;
    "$3") role='pod' ;;
    "$2"/*)
      role='below'
      ! is_target_container "$1" || role='container' owner=${container_of_cgroup:0:12}
      ;;
    *) role='above' ;;
  esac
}

# count_cpu CGROUP [POD]: sets cpu_counts to what the kernel counted between the readings, as fields of an event.
count_cpu() {
  local key id limit worst='' containers='' role owner change
  local -i most=-1 elapsed milliseconds busy
  cpu_counts=()
  cpu_change at || return 0
  elapsed=$change
  cpu_counts+=(cpu_elapsed_us: "$elapsed")
  # The counters of the root cgroup are not used for the node, because with cgroup v2 they include steal.
  if [[ $1 == . ]] && cpu_change idle && busy=-$change && cpu_change steal && busy+=-$change && cpu_change ticks && ((change > 0)); then
    # In parts per million and milliseconds, because the whole product may not fit into 64 bits.
    busy=$(((change + busy) * 1000000 / change)) milliseconds=$((elapsed / 1000))
    cpu_counts+=(cpu_used_us: "$((milliseconds * busy * cpu_now[cpus] / 1000))")
  fi
  ! cpu_change used || cpu_counts+=(cpu_used_us: "$change")
  ! cpu_change pressure || cpu_counts+=(cpu_pressure_us: "$change")
  if [[ $1 == . ]]; then
    ! cpu_change waited || cpu_counts+=(cpu_waited_us: "$change")
  else
    # Without a thread that ran, nothing is known: a kernel without these counters has zeros.
    ((${cpu_now[ran]-0} == 0)) ||
      cpu_counts+=(cpu_waited_us: "${cpu_now[waited]}" cpu_ran_us: "${cpu_now[ran]}")
    if [[ -z ${cpu_before[incomplete]-}${cpu_now[incomplete]-} ]]; then
      cpu_counts+=(cpu_threads: "${cpu_now[threads]-0}" cpu_threads_ended: "${cpu_now[ended]-0}")
    fi
  fi
  limit=${cpu_now[limit]-${cpu_before[limit]-}}
  [[ -z $limit ]] || cpu_counts+=(cpu_limit_ucores: "$limit")
  [[ ${cpu_before[limit]-$limit} == "$limit" ]] || cpu_counts+=(cpu_limit_before_ucores: "${cpu_before[limit]}")
  # The limits of a pod and of its containers throttle the same threads, so only the longest of these times is certain.
  for key in "${!cpu_now[@]}"; do
    [[ $key == throttled:* ]] || continue
    if cpu_change "$key" && ((change > most)); then most=$change worst=${key#*:}; fi
  done
  if ((most >= 0)); then
    cpu_counts+=(cpu_throttled_us: "$most")
    if ((most > 0)); then
      ! cpu_change "periods:$worst" || cpu_counts+=(cpu_periods: "$change")
      ! cpu_change "held:$worst" || cpu_counts+=(cpu_throttled_periods: "$change")
      cpu_role "$worst" "$1" "${2-}"
      cpu_counts+=(cpu_throttler "$role")
      [[ -z $owner ]] || cpu_counts+=(cpu_throttler_id "$owner")
      [[ -z ${cpu_now[limit:$worst]-} ]] || cpu_counts+=(cpu_throttler_ucores: "${cpu_now[limit:$worst]}")
    fi
  fi
  if cpu_change ticks; then
    cpu_counts+=(cpu_node_ticks: "$change")
    ! cpu_change steal || cpu_counts+=(cpu_steal_ticks: "$change")
    cpu_counts+=(cpu_count: "${cpu_now[cpus]}")
  fi
  # So many containers fit into a field.
  for key in "${!cpu_now[@]}"; do
    if [[ $key != container:* ]] || ((${#containers} >= 900)); then continue; fi
    id=${key#*:}
    ! cpu_change "$key" || containers+=${containers:+,}${id:0:12}=$change
  done
  [[ -z $containers ]] || cpu_counts+=(cpu_containers "$containers")
}
