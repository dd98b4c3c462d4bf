import type { PodTarget, Target } from '../../plan/target.ts';
import { shellQuote } from '../../text/shell-quote.ts';
import { crictlLine, debuggerLines, execLine, type ManualContext } from '../by-hand/debugger.ts';

/** `ps uwf` and `crictl ps` for pods or for the node. */
export function psByHand(targets: readonly Target[], around: ManualContext): string[] {
  const pods = targets.filter((target): target is PodTarget => target.kind === 'pod');
  const ids = pods.flatMap(({ container, containers }) =>
    (container ? [container] : containers).map(({ id }) => id).filter(Boolean),
  );
  const patterns = ids.map((id) => `-e ${id}`).join(' ');
  return [
    ...debuggerLines(around, ['procps']),
    ...(pods.length
      ? [
          `pids=$(${execLine(around, `sh -c 'grep -l ${patterns} /proc/[0-9]*/cgroup 2>/dev/null' | cut -d/ -f3 | paste -sd,`)})`,
          execLine(around, 'ps uwf -p "$pids"'),
        ]
      : [execLine(around, 'ps auwwf')]),
    ...(pods.length
      ? pods.map(({ name, namespace }) =>
          crictlLine(around, ['pods', '--name', `^${name}$`, '--namespace', namespace]),
        )
      : [crictlLine(around, ['ps'])]),
    ...ids.map((id) => crictlLine(around, ['ps', '--id', id])),
  ];
}

/** A question of `whois`, as far as its commands by hand depend on it. */
export type WhoisQuestion = { readonly by: string } & Readonly<Record<string, unknown>>;

/** From a pid, port, address … to the container and the pod. */
export function whoisByHand(questions: readonly WhoisQuestion[], around: ManualContext): string[] {
  return [
    ...debuggerLines(around, ['procps', 'iproute2', 'util-linux']),
    '# the last parts of the path of a cgroup are the pod and the container; crictl and kubectl know their names',
    ...questions.flatMap((question) => linesFor(question, around)),
    `${around.kubectl} get pods -A -o wide --field-selector spec.nodeName=${around.node}`,
  ];
}

function linesFor(question: WhoisQuestion, around: ManualContext): string[] {
  switch (question.by) {
    case 'pid':
      return [execLine(around, `cat /proc/${question.pid}/cgroup`)];
    case 'match':
      return [
        execLine(around, `pgrep -f -a ${shellQuote((question.match as RegExp).source)}`),
        execLine(
          around,
          `sh -c ${shellQuote(`for pid in $(pgrep -f ${shellQuote((question.match as RegExp).source)}); do tail -n1 "/proc/$pid/cgroup"; done`)}`,
        ),
      ];
    case 'port':
    case 'socket':
      return [
        '# each network namespace has its own sockets: look into every one',
        execLine(
          around,
          `sh -c ${shellQuote(`lsns -t net -n -o PID | while read -r pid; do nsenter -t "$pid" -n ss -tunap ${question.by === 'port' ? `"sport = :${question.port}"` : ''}; done`)}`,
        ),
      ];
    case 'ip':
      return [
        `${around.kubectl} get pods -A -o wide --field-selector ${shellQuote(`status.podIP=${question.ip}`)}`,
      ];
    case 'container':
      return [
        crictlLine(around, ['ps', '--id', String(question.id)]),
        crictlLine(around, ['pods', '--id', String(question.id)]),
      ];
    case 'cgroup':
      return [
        execLine(
          around,
          `sh -c ${shellQuote(`grep -lF ${shellQuote(`:${question.path}`)} /proc/[0-9]*/cgroup`)}`,
        ),
      ];
    case 'veth':
      return [
        execLine(around, `ip -o link show ${shellQuote(String(question.name))}`),
        '# link-netnsid is the number of the network namespace at the other end',
        execLine(around, 'lsns -t net -o NS,NETNSID,PID,COMMAND'),
      ];
    default:
      return [];
  }
}

/** The lists of kubectl that `nodes` combines. */
export function nodesByHand(
  {
    substrings,
    selector,
    pods,
  }: { readonly substrings: readonly string[]; readonly selector?: string; readonly pods?: string },
  namespace: string,
  kubectl: string,
): string {
  const patterns = substrings.map((each) => ` -e ${shellQuote(each)}`).join('');
  const lines = [
    `${kubectl} get nodes -o wide${selector === undefined ? '' : ` -l ${shellQuote(selector)}`}${patterns ? ` | grep -F${patterns}` : ''}`,
    ...(pods === undefined ? [] : [`${kubectl} get pods -n ${namespace} -o wide -l ${shellQuote(pods)}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
