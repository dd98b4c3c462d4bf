import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import type { Context } from '../cli/command.ts';
import { reasonOf } from '../errors.ts';
import { type Input, openInput } from '../files/input.ts';
import { temporaryFolder } from '../files/temporary-folder.ts';
import type { ClockOffset, OffsetUnknown } from '../packets/combine/clock-offset.ts';
import { type Combined, combine, type Write } from '../packets/combine/combine.ts';
import { interfaceName, type PodInterface } from '../packets/combine/pod-interface.ts';
import { PacketReader } from '../packets/file/reader.ts';
import { isAfter } from '../packets/times.ts';
import type { Plan, TcpdumpTask } from '../plan/plan.ts';
import type { MadeFile } from '../report/files.ts';
import { appear } from '../session/download.ts';
import {
  type CombinedFacts,
  type CombinedInterface,
  type CombinedReceipt,
  makeCombinedReceipt,
  makeReceipt,
  writeReceipt,
} from '../session/receipt.ts';
import type { SessionResult } from '../session/result.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';
import { toolVersion } from '../version.ts';

export const COMBINED_ENDING = '.pcapng.gz';

/** A verified capture, and what it is of. */
export interface CaptureFile extends PodInterface {
  readonly path: string;
}

/** A combined file that was written and verified. */
export interface CombinedFile {
  readonly path: string;
  /** `path` without its ending. */
  readonly base: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly facts: CombinedFacts;
}

/** What became of several recordings. */
export interface CombinedRecordings {
  /** All files that there are now: the combined file and its receipt, and the files of pods that were kept. */
  readonly files: readonly MadeFile[];
  /** Absent if the recordings could not be combined; then the files of all pods are kept. */
  readonly receipt?: CombinedReceipt;
  readonly failure?: string;
}

/**
 * Combines the packets of several recordings into `BASE.pcapng.gz`, with a receipt beside it. `keep`: the file of each pod
 * stays, with its own receipt; otherwise they are removed after the combined file was verified, except files that were not
 * whole. If anything fails, all of them stay, a warning says so, and `failure` has the reason. Rejects only if the command
 * is interrupted; all files stay then, too.
 */
export async function combineRecordings(
  recordings: ReadonlyArray<{ readonly plan: Plan; readonly result: SessionResult }>,
  { directory, base, keep }: { readonly directory: string; readonly base: string; readonly keep: boolean },
  context: Context,
): Promise<CombinedRecordings> {
  const { log, interrupts } = context;
  const signal = interrupts.next;
  const receipts = recordings.map(({ plan, result }) => makeReceipt(plan, result, {}));
  const ofPods: MadeFile[] = [];
  try {
    // First, so that a file that is left alone, whatever happens, has its receipt.
    for (const [at, { result }] of recordings.entries()) {
      const { artifact } = result;
      ofPods.push({ role: 'packets', path: artifact.path, sha256: artifact.sha256 });
      ofPods.push({ role: 'receipt', path: await writeReceipt(artifact.base, receipts[at]!) });
    }
    const captures = recordings.map(captureFile);
    const made = await combineCaptures(captures, { directory, base }, context, signal);
    const receipt = makeCombinedReceipt(receipts, made.facts, {
      file: made.path.split(/[\\/]/).at(-1)!,
      bytes: made.bytes,
      sha256: made.sha256,
    });
    const receiptPath = await writeReceipt(made.base, receipt).catch(async (error: unknown) => {
      await rm(made.path);
      throw error;
    });
    const kept: MadeFile[] = keep ? ofPods : [];
    if (!keep)
      for (const [at, { incomplete, name }] of made.facts.interfaces.entries()) {
        const pair = ofPods.slice(2 * at, 2 * at + 2);
        if (incomplete === undefined) kept.push(...(await remove(pair, log)));
        else {
          log.line(`the file of ${name} is kept: ${pair[0]!.path}`);
          kept.push(...pair);
        }
      }
    return {
      files: [
        { role: 'packets', path: made.path, sha256: made.sha256 },
        { role: 'receipt', path: receiptPath },
        ...kept,
      ],
      receipt,
    };
  } catch (error) {
    signal.throwIfAborted();
    const failure = reasonOf(error);
    log.warn(`the captures were not combined: ${failure}; the file of each pod is kept`);
    const rest = recordings.slice(Math.ceil(ofPods.length / 2)).map(({ result: { artifact } }) => artifact);
    return {
      files: [...ofPods, ...rest.map(({ path, sha256 }) => ({ role: 'packets', path, sha256 }))],
      failure,
    };
  }
}

/** Removes files, and returns those that could not be removed. */
async function remove(files: readonly MadeFile[], log: Context['log']): Promise<MadeFile[]> {
  const left: MadeFile[] = [];
  for (const file of files)
    await rm(file.path).catch((error: unknown) => {
      log.warn(`${file.path} could not be removed: ${reasonOf(error)}`);
      left.push(file);
    });
  return left;
}

/** What the plan and the result of a recording say of its file. */
function captureFile({ plan, result }: { readonly plan: Plan; readonly result: SessionResult }): CaptureFile {
  const { target } = plan;
  const task = plan.capture as TcpdumpTask;
  const direction = task.options[task.options.indexOf('-Q') + 1];
  const isPod = target.kind === 'pod';
  return {
    path: result.artifact.path,
    node: plan.node,
    ...(isPod && { namespace: target.namespace, pod: target.name }),
    ips: isPod && !target.hostNetwork ? target.ips : [],
    interface: task.interface ?? (task.scope === 'iface' ? "the node's end of eth0" : 'any'),
    scope: task.scope,
    filter: task.filter.join(' '),
    ...(task.options.includes('-Q') && (direction === 'in' || direction === 'out') && { direction }),
    ...(result.last && {
      counts: { received: result.last.received ?? 0, dropped: result.last.dropped ?? 0 },
    }),
  };
}

/**
 * Writes the packets of verified captures into `DIRECTORY/BASE.pcapng.gz`, reads the file again, and compares the packets of
 * each interface with those that were read. Only then the file gets its name, or `BASE.2` and so on if it exists already:
 * nothing is ever overwritten. Warns about captures that are not whole. Rejects without leaving anything behind.
 */
export async function combineCaptures(
  captures: readonly CaptureFile[],
  { directory, base }: { readonly directory: string; readonly base: string },
  { stdin, log }: Pick<Context, 'stdin' | 'log'>,
  signal?: AbortSignal,
): Promise<CombinedFile> {
  log.phase(`combining ${counted(captures.length, 'capture')}`);
  const opened = captures.map(({ path }) => new OpenedCapture(path, stdin));
  const folder = temporaryFolder(directory);
  try {
    const part = join(folder, 'part');
    const written = await writeGzip(part, (write) =>
      combine(
        captures.map((capture, at) => ({ ...capture, chunks: opened[at]!.chunks() })),
        `kubectl-gkeprof ${toolVersion()}`,
        write,
        signal,
      ),
    );
    const { bytes, sha256, made } = written;
    await verifyCombined(part, made, stdin, signal);
    const interfaces = captures.map((capture, at) => interfaceFacts(capture, made, at, opened[at]!.isCut));
    for (const [at, facts] of interfaces.entries()) sayOf(facts, captures[at]!, log);
    const path = await appear(part, directory, base, COMBINED_ENDING);
    log.end();
    const facts = { packets: made.packets, interfaces, clockOffsets: made.offsets };
    return { path, base: path.slice(0, -COMBINED_ENDING.length), bytes, sha256, facts };
  } finally {
    log.end();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A capture file that is opened when it is read: then whoever reads it closes it, too. */
class OpenedCapture {
  readonly #path: string;
  readonly #stdin: Context['stdin'];
  #input: Input | undefined;

  constructor(path: string, stdin: Context['stdin']) {
    this.#path = path;
    this.#stdin = stdin;
  }

  /** Whether the compressed data ended too early; known after all of it was read. */
  get isCut(): boolean {
    return this.#input?.condition.cut === true;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    this.#input = await openInput(this.#path, this.#stdin, 'analyze');
    yield* this.#input.chunks;
  }
}

/** As fast as the node compresses captures, and as small. */
const LEVEL = 1;

/** Compresses what `make` writes into a new file, mode 0600. */
async function writeGzip<T>(
  path: string,
  make: (write: Write) => Promise<T>,
): Promise<{ readonly bytes: number; readonly sha256: string; readonly made: T }> {
  const file = await open(path, 'wx', 0o600);
  const gzip = createGzip({ level: LEVEL, chunkSize: 1 << 18 });
  const hash = createHash('sha256');
  let bytes = 0;
  const draining = (async () => {
    for await (const chunk of gzip as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      bytes += chunk.length;
    }
  })();
  // Whoever writes gets the error, and need not wait for room that never comes.
  draining.catch((error: Error) => gzip.destroy(error));
  try {
    const made = await make(
      (piece) =>
        new Promise((resolve, reject) => {
          gzip.write(piece, (error) => (error ? reject(error) : resolve()));
        }),
    );
    gzip.end();
    await draining;
    return { bytes, sha256: hash.digest('hex'), made };
  } catch (error) {
    gzip.destroy();
    // The reason why the file could not be written, and not that nobody reads any more.
    await draining.catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).syscall === 'write') throw cause;
    });
    throw error;
  } finally {
    await file.close();
  }
}

/** Rejects unless a file has of each interface the packets that were read for it. */
export async function verifyCombined(
  path: string,
  { sources, packets }: Combined,
  stdin: Context['stdin'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = sources.map(() => ({ packets: 0, capturedBytes: 0 }));
  let backwards = 0;
  let [lastSeconds, lastNanos] = [0, 0];
  const reader = new PacketReader({
    packet({ interface: number, at, end, seconds, nanos }) {
      const of = found[number]!;
      of.packets += 1;
      of.capturedBytes += end - at;
      if (isAfter(lastSeconds, lastNanos, seconds, nanos)) backwards += 1;
      else [lastSeconds, lastNanos] = [seconds, nanos];
    },
  });
  const { chunks, condition } = await openInput(path, stdin, 'analyze');
  for await (const piece of chunks) {
    signal?.throwIfAborted();
    reader.push(piece);
  }
  const end = reader.end();
  const isSame = sources.every(
    (source, at) =>
      source.packets === found[at]!.packets && source.capturedBytes === found[at]!.capturedBytes,
  );
  const late = sources.reduce((sum, source) => sum + source.late, 0);
  if (!isSame || end.cut || end.damage !== undefined || end.malformed || condition.cut || condition.trailing)
    throw new Error(
      `the combined file has ${found.reduce((sum, each) => sum + each.packets, 0)} packets that can be read, and was written with ${packets}`,
    );
  if (late === 0 && backwards > 0) throw new Error('the packets of the combined file are not in order');
}

function interfaceFacts(
  capture: CaptureFile,
  made: Combined,
  at: number,
  isCutGzip: boolean,
): CombinedInterface {
  const { node, namespace, pod } = capture;
  const { end, ...counts } = made.sources[at]!;
  const isCut = end.cut || isCutGzip;
  const incomplete =
    end.damage !== undefined
      ? `damaged after packet ${counts.packets}: ${end.damage}`
      : isCut
        ? `cut short in the middle of a packet, after packet ${counts.packets}`
        : undefined;
  return {
    name: interfaceName(capture),
    node,
    ...(namespace !== undefined && { namespace }),
    ...(pod !== undefined && { pod }),
    ...counts,
    ...(incomplete !== undefined && { incomplete }),
  };
}

function sayOf({ name, late, incomplete }: CombinedInterface, { path }: CaptureFile, log: Context['log']) {
  if (incomplete !== undefined)
    log.warn(`${printable(path)} of ${name} is ${incomplete}; the packets before are in the combined file`);
  if (late > 0)
    log.warn(
      `${counted(late, 'packet')} of ${name} ${late === 1 ? 'was' : 'were'} written more than 50 ms too late by tcpdump, and ${late === 1 ? 'is' : 'are'} not in the order of time`,
    );
}

const UNKNOWN_TEXT: Readonly<Record<OffsetUnknown, string>> = {
  'no-packets':
    'no packet was captured on both nodes (packets to the address of a Service are not matched, because the node translates it)',
  'one-direction': 'packets of only one direction were captured on both nodes',
  'few-packets': 'too few packets were captured on both nodes',
  contradiction: 'the clocks were changed during the capture',
};

/** One line for people: how far the clocks of two nodes are apart, or why that is not known. */
export function clockOffsetText({ nodes: [a, b], offsetNs, boundNs, matched, unknown }: ClockOffset): string {
  if (offsetNs === undefined || boundNs === undefined)
    return `clocks of ${a} and ${b}: offset not known: ${UNKNOWN_TEXT[unknown ?? 'no-packets']}`;
  const ms = (ns: number) => `${(ns / 1e6).toFixed(3)} ms`;
  const bound = ms(1000 * Math.ceil(boundNs / 1000));
  const side = offsetNs < 0 ? 'behind' : 'ahead of';
  return `clocks: ${b} is ${ms(Math.abs(offsetNs))} ${side} ${a}, ± ${bound} (${matched.forward} and ${matched.back} packets seen on both nodes); the times are not corrected`;
}
