# The grammar of the debug pod's arguments, and the code that reads them. Whoever may create pods may send any words, so
# no argument is used before it has matched its declared type. src/node/arguments.ts reads these tables too, and the
# admission policy is made from them, so the node and the policy cannot differ.
#
# A type is an extended regular expression for the whole value. The expressions use only what POSIX (bash) and RE2 (the
# policy's CEL) read alike: sets, groups, alternatives, counts up to 1000. src/node/arguments.ts needs one entry per line,
# in single quotes.

declare -A ARGUMENT_TYPE=()
ARGUMENT_TYPE[nonce]='[0-9a-f]{22}'
ARGUMENT_TYPE[collector]='[a-z]{1,20}'
ARGUMENT_TYPE[scope]='[a-z]{1,20}'
ARGUMENT_TYPE[duration_ms]='0|[1-9][0-9]{0,11}'
ARGUMENT_TYPE[max_bytes]='0|[1-9][0-9]{0,14}'
ARGUMENT_TYPE[min_free_percent]='0|[1-9][0-9]?'
ARGUMENT_TYPE[install]='[01]'
ARGUMENT_TYPE[pod_namespace]='[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?'
ARGUMENT_TYPE[pod_uid]='[0-9a-f-]{32,36}(,[0-9a-f-]{32,36})?'
ARGUMENT_TYPE[pod_ips]='[0-9a-f.:,]{0,400}'
ARGUMENT_TYPE[host_network]='[01]'
ARGUMENT_TYPE[container_ids]='[0-9a-f,]*'
ARGUMENT_TYPE[container_id]='[0-9a-f]{64}'

# Which arguments there are, in the order in which the client sends them. The name of an optional one ends in `?`.
readonly COMMON_ARGUMENTS='nonce collector scope duration_ms max_bytes min_free_percent install'
readonly POD_ARGUMENTS='pod_namespace pod_uid pod_ips host_network container_ids container_id?'
readonly NODE_ARGUMENTS='host_network'

# Each collector fills in these tables in its own part of the script, and adds the types of its own arguments to
# ARGUMENT_TYPE. A collector that is in none of them does not exist.
declare -A COLLECTOR_ARGUMENTS=()
# What a collector can observe, as a regular expression for the whole of `scope`.
declare -A COLLECTOR_SCOPES=()
# The words behind `--`, which are the tool's own: one regular expression for all of them, each with a line feed behind it.
declare -A COLLECTOR_WORDS=()

declare -A arg=()
declare -a tool_args=()

# Reads KEY=VALUE words, then `--` and the words of the tool, which stay as they are. Refuses an argument that does not match
# its type, is there twice, is missing, or is not an argument of the collector.
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
  [[ ${1-} == -- && -n ${arg[collector]-} && -n ${COLLECTOR_ARGUMENTS[${arg[collector]}]+is} ]] || refuse bad-argument
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

# Whether every argument of the collector is there, and no other.
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
