# The grammar of the debug pod's arguments, and the reading of them. Whoever may create pods may send any words, so
# nothing is used before it has matched its declared type. src/node/arguments.ts reads the same tables, and the
# admission policy is made from them: the node and the policy cannot come to differ.
#
# A type is an extended regular expression for the whole value. Only what POSIX (bash) and RE2 (the policy's CEL) read
# alike is used: sets, groups, alternatives, counts up to 1000.

readonly -A ARGUMENT_TYPE=(
  [nonce]='[0-9a-f]{22}'
  [collector]='perf|tcpdump|inspect|crictl|shell'
  [scope]='node|pod|container|netns|iface'
  [duration_ms]='0|[1-9][0-9]{0,11}'
  [max_bytes]='0|[1-9][0-9]{0,14}'
  [min_free_percent]='0|[1-9][0-9]?'
  [install]='[01]'
  [pod_namespace]='[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?'
  [pod_uid]='[0-9a-f-]{32,36}(,[0-9a-f-]{32,36})?'
  [pod_ips]='[0-9a-f.:,]{0,400}'
  [host_network]='[01]'
  [container_ids]='[0-9a-f,]*'
  [container_id]='[0-9a-f]{64}'
  [frequency]='[1-9][0-9]{0,4}'
  [interface]='[A-Za-z0-9_.:@][A-Za-z0-9_.:@-]{0,31}'
  [link_type]='[A-Za-z0-9_]{1,30}'
  [count]='0|[1-9][0-9]{0,17}'
  [parts]='(processes|runtime|sockets|links|probe)(,(processes|runtime|sockets|links|probe)){0,4}'
  [linger_ms]='0|[1-9][0-9]{0,9}'
  [rights]='read|any'
  [pod_word]='[0-9]|[1-9][0-9]{1,2}'
  [tty]='[01]'
  [label]='[a-z0-9][a-z0-9.-]{0,252}'
  [enter]='(net|pid|mnt|ipc|uts)(,(net|pid|mnt|ipc|uts)){0,4}'
)

# Which arguments there are, in the order in which the client sends them. One that may be missing ends in `?`.
readonly COMMON_ARGUMENTS='nonce collector scope duration_ms max_bytes min_free_percent install'
readonly POD_ARGUMENTS='pod_namespace pod_uid pod_ips host_network container_ids container_id?'
readonly NODE_ARGUMENTS='host_network'
readonly -A COLLECTOR_ARGUMENTS=(
  [perf]='frequency'
  [tcpdump]='interface? link_type? count'
  [inspect]='parts linger_ms'
  [crictl]='rights pod_word? tty'
  [shell]='label enter? tty'
)
# What each collector can observe.
readonly -A COLLECTOR_SCOPES=(
  [perf]='node|pod|container'
  [tcpdump]='node|netns|iface'
  [inspect]='node'
  [crictl]='node'
  [shell]='node'
)
# The words behind `--`, which are the tool's own: each with a line feed behind it, as one expression. Of crictl these are
# the words that change nothing (cri-tools cmd/crictl/main.go); with `rights=any` it takes all words, as a shell does.
readonly -A COLLECTOR_WORDS=(
  [perf]=''
  [tcpdump]='(-s\n[0-9]{1,9}\n|-B\n[0-9]{1,6}\n|-Q\n(in|out|inout)\n|-y\n[A-Za-z0-9_]{1,30}\n|-c\n[0-9]{1,18}\n|-[Kpnv]\n)*--\n([^\n]*\n)*'
  [inspect]=''
  [crictl]='((-t|--timeout)\n[0-9.a-z]{1,20}\n|--timeout=[0-9.a-z]{1,20}\n|(-D|--debug|-h|--help|-v|--version)\n)*((completion|events|help|imagefsinfo|images|info|inspect|inspecti|inspectp|logs|metricsp|pods|ps|runtime-config|stats|statsp|version)\n([^\n]*\n)*)?'
  [shell]='([^\n]*\n)*'
)

declare -A arg=()
declare -a tool_args=()

# KEY=VALUE words, then `--` and the words that belong to the tool, untouched. Ends the pod where one is not of its
# type, is there twice, is missing, or is not one that the collector takes.
read_arguments() {
  local key words
  while (($#)); do
    [[ $1 == -- ]] && break
    key=${1%%=*}
    # ${key@Q}: bash would read an index that holds brackets or a dollar as more than a name.
    [[ $1 == *=* && $key =~ ^[a-z_]+$ && -n ${ARGUMENT_TYPE[$key]+is} && -z ${arg[$key]+is} ]] || refuse bad-argument
    [[ ${1#*=} =~ ^(${ARGUMENT_TYPE[$key]})$ ]] || refuse bad-argument
    arg[$key]=${1#*=}
    shift
  done
  [[ ${1-} == -- && -n ${arg[collector]-} ]] || refuse bad-argument
  shift
  tool_args=("$@")
  arguments_fit || refuse bad-argument
  [[ ${arg[collector]} == shell || ${arg[rights]-} == any ]] && return
  # A word that holds a line feed would pass for two.
  [[ $* != *$'\n'* ]] || refuse bad-argument
  words=
  (($# == 0)) || printf -v words '%s\n' "$@"
  [[ $words =~ ^(${COLLECTOR_WORDS[${arg[collector]}]//\\n/$'\n'})$ ]] || refuse bad-argument
}

# Every argument of the collector is there, and no other.
arguments_fit() {
  local name
  local -A allowed=()
  local -a names
  local target=$NODE_ARGUMENTS
  [[ ${arg[scope]-} =~ ^(${COLLECTOR_SCOPES[${arg[collector]}]})$ ]] || return 1
  [[ -z ${arg[pod_uid]-} ]] || target=$POD_ARGUMENTS
  read -ra names <<<"$COMMON_ARGUMENTS $target ${COLLECTOR_ARGUMENTS[${arg[collector]}]}"
  for name in "${names[@]}"; do
    [[ $name == *'?' || -n ${arg[$name]+is} ]] || return 1
    allowed[${name%'?'}]=1
  done
  for name in "${!arg[@]}"; do
    [[ -n ${allowed[$name]-} ]] || return 1
  done
}
