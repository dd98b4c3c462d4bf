import type { V1Pod } from '@kubernetes/client-node';
import { isOfKubectl, kubectlError } from '../cluster/kubectl-words.ts';
import type { Collector, RawFile } from '../collectors/collector.ts';
import { EXIT, GkeprofError } from '../errors.ts';
import { ctlOf, outOf } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import { baseName } from '../plan/artifact-name.ts';
import type { Plan } from '../plan/plan.ts';
import { formatBytes } from '../text/quantity.ts';
import { type CreatedPod, containerOf, deathOf } from './debug-pod.ts';
import { type Artifact, download } from './download.ts';
import { renewLease } from './lease.ts';
import { patiently } from './patience.ts';
import type { Recording } from './recording.ts';
import type { SessionContext } from './session-context.ts';
import { lookAtTarget, type TargetLook } from './target-changes.ts';
import type { Announced } from './transfer.ts';

/** What is known when the file is here. */
export interface Downloaded {
  readonly artifact: Artifact;
  readonly isRaw: boolean;
  readonly target: TargetLook;
  /** The debug pod as it was then; undefined where it could not be read. */
  readonly debugPod: V1Pod | undefined;
}

/** The signals that a download has answered: one line is enough, however many files are copied at the same time. */
const answered = new WeakSet<AbortSignal>();

/** Downloads and verifies the file, and reads meanwhile what happened to the target and to the debug pod. */
export async function downloadRecording(
  { seen, began, end, early }: Recording,
  plan: Plan,
  pod: CreatedPod,
  collector: Collector,
  directory: string,
  context: SessionContext,
  isOver: boolean,
): Promise<Downloaded> {
  const { interrupts, log } = context;
  const raw = collector.raw?.(began);
  const announced = end && (seen.artifact ?? nothingAnnounced(plan));
  const isUnfinished = announced === undefined || announced.file === raw?.file;
  const onLateStop = () => {
    if (answered.has(interrupts.stop)) return;
    answered.add(interrupts.stop);
    log.line('finishing: the capture is being downloaded and verified (Ctrl-C again abandons it)');
  };
  interrupts.stop.addEventListener('abort', onLateStop, { once: true });
  log.phase(`copying and verifying${announced ? ` ${formatBytes(announced.bytes)}` : ''}`);
  const isHere = new AbortController();
  const enough = new AbortController();
  // The node keeps the files as long as this client downloads.
  const keptMs = plan.limits.keepSeconds * 1000;
  const everyMs = Math.min(60_000, keptMs / 3);
  // Of a file that has waited for a while, the node may soon be done with waiting.
  const isLate = isOver || (end !== undefined && context.now() - end.t > keptMs / 10);
  const until = AbortSignal.any([isHere.signal, interrupts.abandon]);
  void renewLease(plan, everyMs, context, until, isLate ? 0 : everyMs);
  const fetchFile = async () =>
    download(
      announced ?? (await salvaged(plan, raw, context)),
      {
        ...containerOf(plan, 'files'),
        folder: outOf(plan),
        lease: `${ctlOf(plan)}/lease`,
        ...(pod.uid !== undefined && { uid: pod.uid }),
      },
      {
        directory,
        base: baseName(plan.node, began.t, collector.scopeName(plan)),
        ending: isUnfinished && raw ? raw.ending : collector.ending,
      },
      context,
      early,
    );
  const over = AbortSignal.any([enough.signal, interrupts.abandon]);
  const looks = Promise.all([
    isOver ? UNSEEN : lookAtTarget(plan, context, over),
    lookAtDebugPod(plan, context, over),
  ]);
  try {
    const artifact = await fetchFile();
    // The file is here: what else is to be known of the API server may delay it only for a moment.
    void context.sleep(LOOK_MS, isHere.signal).then(
      () => enough.abort(),
      () => {},
    );
    const [target, debugPod] = await looks;
    const isRaw = isUnfinished && (raw?.isOpaque ?? true);
    return { artifact, isRaw, target, debugPod };
  } finally {
    isHere.abort();
    enough.abort();
    early?.close();
    interrupts.stop.removeEventListener('abort', onLateStop);
  }
}

/** What happened since the recording ended would be taken for something that happened during it. */
const UNSEEN: TargetLook = {
  changes: [],
  unknown: 'nobody looked at it when the recording ended, because the file was collected later',
};

/** How long a file that is here waits for the second look at the target and at the debug pod, in milliseconds. */
const LOOK_MS = 10_000;

/** The debug pod as it is now; undefined if the API server does not show it. */
const lookAtDebugPod = (
  { debugPod: { namespace, name } }: Plan,
  context: SessionContext,
  until: AbortSignal,
): Promise<V1Pod | undefined> =>
  patiently(
    () => context.cluster.readPod(namespace, name),
    { meanwhile: 'the file is copied', until },
    context,
  ).catch(() => undefined);

function nothingAnnounced({ node }: Plan): never {
  throw new GkeprofError(EXIT.incomplete, `node ${node} finished the capture, but announced no file`);
}

/** The capture container died before it finished: the file that its tool wrote so far. Rejects where there is none. */
async function salvaged(plan: Plan, raw: RawFile | undefined, context: SessionContext): Promise<Announced> {
  const { cluster, interrupts } = context;
  const death = await deathOf(plan, cluster);
  const look = async (file: string) => {
    const answer = await cluster.exec(
      containerOf(plan, 'files'),
      request('salvage', `${outOf(plan)}/${file}`),
    );
    if (isOfKubectl(answer)) throw kubectlError(answer);
    return answer;
  };
  const patience = { meanwhile: 'what was recorded stays on the node', signal: interrupts.abandon };
  const found = raw && (await patiently(() => look(raw.file), patience, context));
  const [bytes, sum] = Buffer.from(found?.stdout ?? '')
    .toString('utf8')
    .trim()
    .split(/\s+/);
  if (raw && found?.exitCode === 0 && Number(bytes))
    return { file: raw.file, bytes: Number(bytes), sha256: sum ?? '' };
  throw new GkeprofError(
    EXIT.tool,
    `the capture container died on the node, and nothing is left of the capture: ${death}`,
  );
}
