# bash completion of kubectl-gkeprof and kubectl gkeprof: source <(kubectl gkeprof completion bash)

# $1: how many words of the line are before the plugin's own.
__gkeprof_complete() {
  local from=$1 line word words=() out directive choices=() texts=() text about longest=0
  # bash breaks words at = and :, which are parts of ours: --flag=value, host:port.
  for word in "${COMP_WORDS[@]:from:COMP_CWORD-from+1}"; do
    if ((${#words[@]})) && [[ $word == [=:]* || ${words[-1]} == *[=:] ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
  done
  local whole=${words[-1]-} kept=''
  # As it will be read, without quotes.
  local i
  for i in "${!words[@]}"; do
    words[i]=${words[i]//[\'\"\\]/}
    [[ ${words[i]} != \~/* ]] || words[i]=$HOME${words[i]:1}
  done
  out=$(kubectl-gkeprof __complete "${words[@]}" 2>/dev/null) || return
  directive=${out##*:}
  [[ $directive =~ ^[0-9]+$ ]] || return
  out=${out%:*}
  while IFS= read -r line; do
    [[ -n $line ]] && choices+=("$line")
  done <<<"$out"

  # What bash replaces is behind the last = or :.
  local part=$whole
  [[ $part == -*=* ]] && part=${part#*=}
  [[ $part == *:* && $COMP_WORDBREAKS == *:* ]] && kept=${part%"${part##*:}"}
  part=${part#"$kept"}

  if ((directive & 8 || directive & 16)) || ((directive == 0)); then
    compopt -o filenames 2>/dev/null
    local found
    while IFS= read -r found; do
      if [[ -d $found ]] || ((directive == 0)); then
        COMPREPLY+=("$found")
      elif ((directive & 8)); then
        for text in "${choices[@]}"; do
          [[ $found == *."$text" ]] && COMPREPLY+=("$found") && break
        done
      fi
    done < <(compgen -f -- "$part")
    return
  fi
  ((directive & 2)) && compopt -o nospace 2>/dev/null
  ((directive & 32)) && compopt -o nosort 2>/dev/null
  for line in "${choices[@]}"; do
    text=${line%%$'\t'*}
    text=${text#"$kept"}
    [[ $text == "$part"* ]] || continue
    texts+=("$line")
    ((${#text} > longest)) && longest=${#text}
  done
  for line in "${texts[@]}"; do
    text=${line%%$'\t'*}
    text=${text#"$kept"}
    about=${line#*$'\t'}
    # ?, !, @: only shown, not put in. There they may say what they are.
    if [[ $line == *$'\t'* && ${#texts[@]} -gt 1 && $COMP_TYPE == @(33|63|64) ]]; then
      printf -v text '%-*s  (%s)' "$longest" "$text" "$about"
      text=${text:0:$((${COLUMNS:-80} - 1))}
    fi
    COMPREPLY+=("$text")
  done
}

__gkeprof_plugin() {
  COMPREPLY=()
  __gkeprof_complete 1
}
complete -F __gkeprof_plugin kubectl-gkeprof

# kubectl's own completion goes on for everything else.
complete -p kubectl >/dev/null 2>&1 || _comp_load kubectl 2>/dev/null || __load_completion kubectl 2>/dev/null
if [[ $(complete -p kubectl 2>/dev/null) =~ -F\ ([^\ ]+) && ${BASH_REMATCH[1]} != __gkeprof_kubectl ]]; then
  __gkeprof_before=${BASH_REMATCH[1]}
fi
__gkeprof_kubectl() {
  if [[ ${COMP_WORDS[1]-} == gkeprof ]] && ((COMP_CWORD > 1)); then
    COMPREPLY=()
    __gkeprof_complete 2
  elif [[ -n ${__gkeprof_before-} ]]; then
    "$__gkeprof_before" "$@"
  fi
}
complete -o default -F __gkeprof_kubectl kubectl
