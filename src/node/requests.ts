import { CTL, OUT } from './folders.ts';

/**
 * Everything that a client ever runs in `files`: nothing else is exec'ed into a debug pod. The admission policy takes
 * exactly these, so a request is data: words that are sent as they stand, and holes that a value of a given form fills.
 */
type Word = string | Hole;

/** A place for a value. `form` is a regular expression for the whole of it, in what RE2 and JavaScript read alike. */
interface Hole {
  readonly form: string;
}

/** A file of the capture, by its whole path. */
const FILE: Hole = { form: `${OUT}/[a-z][a-z.-]{0,40}` };
const NUMBER: Hole = { form: '[0-9]{1,18}' };

/**
 * Asks, unless it is the first question, which the plan brought; waits for the answer; says how long it is and its
 * SHA-256, then the bytes; and stays until the client has them all, because an exec that ends drops tails silently.
 */
const ASK = `
id=$1 ask=$2 answer=${OUT}/answer-$1
[ -z "$ask" ] || : >"${CTL}/ask-$id.$ask" || exit 9
tries=0
until [ -e "$answer" ]; do
  [ -e ${OUT}/done ] && [ ! -e "$answer" ] && exit 7
  tries=$((tries + 1))
  [ $tries -gt 1200 ] && exit 8
  sleep 0.05
done
sum=$(sha256sum <"$answer")
printf '%s %s\\n' "$(stat -c %s "$answer")" "\${sum%% *}"
cat "$answer"
read -r _
[ -z "$ask" ] || rm -f "${CTL}/ask-$id.$ask"
`;

/**
 * With how much of the output is known already: sends what was run, then, unless that is all that is wanted, stdout and
 * stderr as they grow, then the status, each as a frame of `KIND BYTES`; and stays until the client has all. It does not
 * renew the lease: what is run by exec outlives the client.
 */
const FOLLOW = `
o=$1 e=$2 out=${OUT}
until [ -e $out/command ]; do
  [ -e $out/done ] && printf 'r 0\\n' && read -r _ && exit 0
  sleep 0.05
done
send() { # KIND FILE FROM: what is there behind FROM, and how much that makes
  size=$(stat -c %s "$2" 2>/dev/null) || size=0
  [ "$size" -gt "$3" ] || return 1
  printf '%s %s\\n' "$1" "$((size - $3))"
  tail -c "+$(($3 + 1))" "$2" | head -c "$((size - $3))"
}
send c $out/command 0
[ "$3" = command ] && exit 0
while :; do
  over=
  [ -e $out/status ] && over=1
  send o $out/stdout "$o" && o=$size && continue
  send e $out/stderr "$e" && e=$size && continue
  [ -n "$over" ] && break
  [ -e $out/done ] && printf 'r 0\\n' && read -r _ && exit 0
  sleep 0.1
done
send x $out/status 0
read -r _
`;

/**
 * One range of a file. The remote shell waits for a line before it ends: an exec whose command ends with bytes still
 * under way loses them and reports success (kubernetes/kubernetes#124571).
 */
const RANGE = 'tail -c "+$2" -- "$1" | head -c "$3"; read -r _';

/** Size and SHA-256 of what a tool had written when its container died. */
const SALVAGE = 'stat -c %s "$1" && sha256sum <"$1"';

/** The requests, by what they are for. */
export const REQUESTS = {
  /** The events, where the container's log fails. */
  events: ['cat', `${OUT}/events.jsonl`],
  /** Ends a capture in good order. */
  stop: ['touch', `${CTL}/stop`],
  /** Says that a client is there. */
  lease: ['touch', `${CTL}/lease`],
  /** The end of a tool's log. */
  log: ['tail', '-c', '4000', FILE],
  /** What `kubectl cp` runs (kubectl pkg/cmd/cp/cp.go). */
  copy: ['tar', 'cf', '-', FILE],
  /** Path, first byte from 1, bytes. */
  range: ['sh', '-c', RANGE, 'range', FILE, NUMBER, NUMBER],
  salvage: ['sh', '-c', SALVAGE, 'salvage', FILE],
  /** Id of the question, and its parts; nothing for the plan's own. */
  ask: ['sh', '-c', ASK, 'gkeprof-ask', { form: 'first|[0-9a-f]{16}' }, { form: '[a-z,]{0,60}' }],
  /** Bytes of stdout and of stderr that are here, and how far to go. */
  follow: ['sh', '-c', FOLLOW, 'gkeprof-follow', NUMBER, NUMBER, { form: 'command|status' }],
} as const satisfies Readonly<Record<string, readonly Word[]>>;

/** The words of a request with its holes filled, in their order. Throws where a value is not of its form. */
export function request(name: keyof typeof REQUESTS, ...values: readonly string[]): string[] {
  const left = [...values];
  const words = REQUESTS[name].map((word: Word) => {
    if (typeof word === 'string') return word;
    const value = left.shift();
    if (value === undefined || !new RegExp(`^(${word.form})$`).test(value))
      throw new Error(`"${value}" is no value for the request ${name}`);
    return value;
  });
  if (left.length) throw new Error(`the request ${name} takes no more values`);
  return words;
}
