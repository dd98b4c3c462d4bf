import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import type { Context } from '../cli/command.ts';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import type { Target } from '../plan/target.ts';
import type { Receipt } from '../session/receipt.ts';
import { sweepFolders } from '../session/temporary-folder.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';
import { code, markdownTable, plain } from './markdown.ts';

/** A file that a command made, before anything else is known of it. */
export interface MadeFile {
  /** What it is: `flamegraph`, `stacks`, `packets`, `receipt` … */
  readonly role: string;
  readonly path: string;
}

/** A file of a result. */
export interface DescribedFile extends MadeFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** Makes a folder that is to be written to, or removes what killed commands left in it, and says so in one line. */
export async function sweepFolder(folder: string, { log, now }: Pick<Context, 'log' | 'now'>): Promise<void> {
  await makeFolder(folder);
  const names = await sweepFolders(folder, now());
  if (names.length)
    log.line(
      `removed ${counted(names.length, 'folder')} that killed commands had left in ${folder}: ${names.join(', ')}`,
    );
}

/** Creates the folder if its parent exists; a mistyped path creates nothing. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw new GkeprofError(
      EXIT.failed,
      `cannot make the folder ${printable(folder)}: ${printable(reasonOf(error))}`,
    );
  }
}

/** Size and SHA-256 of files; it reads them for that. */
export const describeFiles = (files: readonly MadeFile[]): Promise<DescribedFile[]> =>
  Promise.all(
    files.map(async ({ role, path }) => ({
      role,
      path,
      bytes: (await stat(path)).size,
      sha256: await sha256(path),
    })),
  );

/** Of a whole file, in hexadecimal digits. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** What was recorded, when, how and by what: the part of a result that every capture has. */
export function captureFacts({ gkeprof, plan, capture, targetChanges }: Receipt) {
  const what = plan.capture;
  return {
    target: targetFacts(plan.targets[0]),
    node: plan.node,
    scope: what.scope,
    ...(what.collector === 'perf' && { frequencyHz: what.frequencyHz }),
    ...(what.collector === 'tcpdump' && { filter: what.filter.join(' ') }),
    startedAt: capture.startedAt,
    stoppedAt: capture.stoppedAt,
    durationSeconds: (Date.parse(capture.stoppedAt) - Date.parse(capture.startedAt)) / 1000,
    ended: capture.ended,
    ...(capture.cut && { cut: capture.cut }),
    ...(capture.unnamedProcesses && { unnamedProcesses: capture.unnamedProcesses }),
    ...(capture.cpu && { cpu: capture.cpu }),
    ...(capture.packets && { packets: capture.packets }),
    targetChanges,
    debugPod: {
      namespace: plan.debugPod.namespace,
      name: plan.debugPod.name,
      image: plan.debugPod.image,
      imageId: capture.imageId,
    },
    kernel: capture.kernel,
    toolVersion: capture.toolVersion,
    gkeprof,
  };
}

export type CaptureFacts = ReturnType<typeof captureFacts>;

const targetFacts = (target: Target) =>
  target.kind === 'node'
    ? { kind: 'node' as const, name: target.node }
    : {
        kind: 'pod' as const,
        namespace: target.namespace,
        name: target.name,
        uid: target.uid,
        ips: target.ips,
        ...(target.container && { container: target.container.name }),
      };

/** `pod redis/redis-0, container redis, on node-b`, in Markdown. */
export function targetWords({ target, node }: Pick<CaptureFacts, 'target' | 'node'>): string {
  if (target.kind === 'node') return `node ${plain(node)}`;
  const container = target.container === undefined ? '' : `, container ${plain(target.container)},`;
  return `pod ${plain(`${target.namespace}/${target.name}`)}${container} on ${plain(node)}`;
}

/** The rows of a table of facts that every capture has. */
export const captureRows = (facts: CaptureFacts, ended: string): Array<[string, string | undefined]> => [
  ['started', `${utc(facts.startedAt)} (by the node's clock)`],
  ['duration', plain(ended)],
  ['not whole', facts.cut && `cut short: ${plain(facts.cut)}`],
  [
    'processes without names',
    facts.unnamedProcesses ? `${facts.unnamedProcesses}: their files were not read` : undefined,
  ],
  ['changed meanwhile', facts.targetChanges.length ? facts.targetChanges.map(plain).join('; ') : undefined],
  ['node', `${plain(facts.node)}, kernel ${plain(facts.kernel)}, ${plain(facts.toolVersion)}`],
];

/** `2026-11-23 13:37:49 UTC`. */
export const utc = (iso: string): string => `${iso.slice(0, 19).replace('T', ' ')} UTC`;

/** The files of a result, as a table. */
export const fileTable = (files: readonly DescribedFile[]): string =>
  markdownTable(
    [{ title: 'file' }, { title: 'bytes', right: true }, { title: 'SHA-256' }],
    files.map(({ path, bytes, sha256: sum }) => [code(path), String(bytes), code(sum)]),
  );
