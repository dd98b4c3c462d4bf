import { SCRATCH } from './folders.ts';

/**
 * Everything that a client ever runs in `files`: nothing else is exec'ed into a debug pod. The admission policy accepts
 * exactly these. So a request is data: fixed words, and holes for values of a given form.
 */
type Word = string | Hole;

/** A place for a value. `form` is a regular expression for the whole value, which RE2 and JavaScript read alike. */
interface Hole {
  readonly form: string;
}

/** The scratch folder: a value, and what a script in the container looks for. */
const ROOT = `(${Object.values(SCRATCH).join('|')})`;
const FIND_ROOT = `root=${SCRATCH.disk}
grep -q " $root " /proc/self/mounts || root=${SCRATCH.memory}`;

/** The folder with the files of a recorder: those of a debug pod with several recorders have one each (outOf). */
const FOLDER = `${ROOT}/out(/[1-9][0-9]{0,2})?`;
/** The whole path of a file of the capture. */
const FILE: Hole = { form: `${FOLDER}/[a-z][a-z.-]{0,40}` };
const NUMBER: Hole = { form: '[0-9]{1,18}' };

/**
 * Asks a question, unless it is the first one, which is in the pod's arguments. Waits for the answer, prints its length and
 * SHA-256, then its bytes. Then it waits until the client has them all, because an exec that ends may lose the last bytes
 * without an error.
 */
const ASK = `
${FIND_ROOT}
id=$1 ask=$2 answer=$root/out/answer-$1
[ -z "$ask" ] || : >"$root/ctl/ask-$id.$ask" || exit 9
tries=0
until [ -e "$answer" ]; do
  [ -e $root/out/done ] && [ ! -e "$answer" ] && exit 7
  tries=$((tries + 1))
  [ $tries -gt 1200 ] && exit 8
  sleep 0.05
done
sum=$(sha256sum <"$answer")
printf '%s %s\\n' "$(stat -c %s "$answer")" "\${sum%% *}"
cat "$answer"
read -r _
[ -z "$ask" ] || rm -f "$root/ctl/ask-$id.$ask"
`;

/**
 * Takes how many bytes of the output the client has already. Sends the command line; then, unless only that is wanted, stdout
 * and stderr as they grow, and the status, each as a frame of `KIND BYTES`. Then it waits until the client has everything. It
 * does not renew the lease, because a script that runs by exec outlives its client. A command's output may be large, so it is on
 * the disk.
 */
const FOLLOW = `
o=$1 e=$2 out=${SCRATCH.disk}/out
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

/** Writes one range of a file, in large blocks: with `tail | head` the same took a third longer (`npm run bench:transfer`). */
const DD = 'dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none';

/**
 * One range of a file. The remote shell waits for a line before it ends: an exec whose command ends while bytes are still
 * on their way loses them and reports success (kubernetes/kubernetes#124571).
 */
const RANGE = `${DD}; read -r _`;

/**
 * A whole file, which the node may still be about to write. Prints a line feed as soon as it runs, so that the client knows that the
 * connection is there, and waits for a line before it reads the file. It ends as a range does, and also when the client goes
 * away while it waits: then its input ends.
 */
const TAKE = 'echo && read -r _ && cat "$1" && read -r _';

/** The SHA-256 of one range of a file. */
const RANGE_SUM = `${DD} | sha256sum`;

/** Size and SHA-256 of what a tool had written when its container died. */
const SALVAGE = 'stat -c %s "$1" && sha256sum <"$1"';

/** The requests, by what they are for. */
export const REQUESTS = {
  /** The events of a recorder, if the container's log fails. */
  events: ['cat', { form: `${FOLDER}/events\\.jsonl` }],
  /** The events of all recorders of a debug pod that has several. */
  allEvents: ['sh', '-c', `cat ${SCRATCH.disk}/out/[0-9]*/events.jsonl`],
  /** Asks the node to stop the capture and to finish it. */
  stop: ['touch', { form: `${ROOT}/ctl/stop` }],
  /** Tells the node how the stacks of all targets are found; `own`: each as it can. */
  stacks: ['touch', { form: `${ROOT}/ctl/stacks-(fp|dwarf|ebpf|own)` }],
  /** Tells the node that the client is still there. */
  lease: ['touch', { form: `${ROOT}/ctl/lease` }],
  /** The end of a tool's log. */
  log: ['tail', '-c', '4000', FILE],
  /** What `kubectl cp` runs (kubectl pkg/cmd/cp/cp.go). */
  copy: ['tar', 'cf', '-', FILE],
  /** The path of the file that the node is about to announce. */
  take: ['sh', '-c', TAKE, 'take', FILE],
  /** Path, how many bytes come before the range, and how many are in it. */
  range: ['sh', '-c', RANGE, 'range', FILE, NUMBER, NUMBER],
  /** The same. */
  rangeSum: ['sh', '-c', RANGE_SUM, 'range-sum', FILE, NUMBER, NUMBER],
  salvage: ['sh', '-c', SALVAGE, 'salvage', FILE],
  /** The id of the question, and its parts; no parts for the plan's own question. */
  ask: ['sh', '-c', ASK, 'gkeprof-ask', { form: 'first|[0-9a-f]{16}' }, { form: '[a-z,]{0,60}' }],
  /** How many bytes of stdout and stderr the client has, and what to send last. */
  follow: ['sh', '-c', FOLLOW, 'gkeprof-follow', NUMBER, NUMBER, { form: 'command|status' }],
} as const satisfies Readonly<Record<string, readonly Word[]>>;

/** The words of a request, its holes filled with the values in order. Throws if a value does not have the form of its hole. */
export function request(name: keyof typeof REQUESTS, ...values: readonly string[]): string[] {
  const left = [...values];
  const words = REQUESTS[name].map((word: Word) => {
    if (typeof word === 'string') return word;
    const value = left.shift();
    if (value === undefined || !new RegExp(`^(${word.form})$`).test(value))
      throw new Error(`"${value}" is not a value for the request ${name}`);
    return value;
  });
  if (left.length) throw new Error(`the request ${name} takes no more values`);
  return words;
}
