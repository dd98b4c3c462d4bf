#compdef kubectl-gkeprof
# zsh completion of kubectl-gkeprof and kubectl gkeprof: source <(kubectl gkeprof completion zsh)

# $1: the place of the plugin's first word.
__gkeprof_complete() {
  local out directive line text order=() space=() endings=() candidates=()
  out=$(kubectl-gkeprof __complete "${(@Q)words[$1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null) || return 1
  directive=${out##*:}
  [[ $directive == <-> ]] || return 1
  for line in "${(@f)${out%:*}}"; do
    [[ -n $line ]] || continue
    text=${line%%$'\t'*}
    endings+=("$text")
    # A colon would be taken for the beginning of the description.
    text=${text//:/\\:}
    [[ $line == *$'\t'* ]] && text+=":${line#*$'\t'}"
    candidates+=("$text")
  done
  [[ $PREFIX == -*=* ]] && compset -P '*='
  if ((directive & 8)); then
    _files -g "*.(${(j:|:)endings})(-.)"
  elif ((directive & 16)); then
    _files -/
  elif ((directive == 0)); then
    _files
  else
    ((directive & 32)) && order=(-V)
    ((directive & 2)) && space=(-S '')
    ((${#candidates})) && _describe $order -t gkeprof gkeprof candidates "${space[@]}"
  fi
}

_kubectl-gkeprof() { __gkeprof_complete 2 }

# kubectl's own completion goes on for everything else.
__gkeprof_kubectl() {
  if [[ ${words[2]} == gkeprof ]] && ((CURRENT > 2)); then
    __gkeprof_complete 3
  elif [[ -n $__gkeprof_before ]]; then
    $__gkeprof_before "$@"
  fi
}

if ! (($+functions[compdef])); then
  autoload -Uz compinit
  compinit
fi
[[ ${_comps[kubectl]-} == __gkeprof_kubectl ]] || typeset -g __gkeprof_before=${_comps[kubectl]-}
compdef _kubectl-gkeprof kubectl-gkeprof
compdef __gkeprof_kubectl kubectl
