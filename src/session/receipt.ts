import { readFile, stat } from 'node:fs/promises';
import { NewFile } from '../files/new-file.ts';
import type { ClockOffset } from '../packets/combine/clock-offset.ts';
import type { Plan } from '../plan/plan.ts';
import type { Target } from '../plan/target.ts';
import type { CpuCounters } from '../profile/counters.ts';
import type { NamedPod } from '../profile/owners.ts';
import type { StacksBy } from '../profile/unwinding.ts';
import { toolVersion } from '../version.ts';
import type { Cut, NoCgroups, SessionResult, SymbolFiles } from './result.ts';
import type { Deletion, StoppedBy } from './stopped-by.ts';

/** The plan as receipts have it: version 1 of the receipt has a list of targets, which has always held one. */
export interface RecordedPlan extends Omit<Plan, 'target'> {
  readonly targets: readonly [Target];
}

/**
 * tcpdump's counts. If the capture container died, there are only those of its last event, and the file may have more packets:
 * then each is named a lower bound.
 */
export type PacketCounts =
  | {
      readonly captured: number;
      readonly receivedByFilter: number;
      readonly droppedByKernel: number;
      /** Absent in receipts of older versions. */
      readonly bufferKiB?: number;
    }
  | { readonly capturedAtLeast: number; readonly droppedByKernelAtLeast: number };

/** The JSON beside an artifact: what was planned, what happened, and that both ends hold the same bytes. */
export interface Receipt {
  readonly receiptVersion: 1;
  readonly gkeprof: string;
  readonly plan: RecordedPlan;
  /** Where it was captured: names are the kubeconfig's, the server's URL is without credentials. */
  readonly cluster: { readonly context: string; readonly server: string; readonly user?: string };
  readonly capture: {
    readonly startedAt: string;
    readonly stoppedAt: string;
    readonly ended: string;
    /** Why the artifact is not the whole recording; absent if it is. */
    readonly cut?: Cut;
    /** Processes whose files perf was not allowed to read, because they held it up: their frames have no names. */
    readonly unnamedProcesses?: number;
    /** How the stacks of a profile were found; absent for packets, and in receipts of older versions. */
    readonly stacks?: StacksBy;
    /** Files of ended or replaced programs that were copied for perf on the node; absent where there were none. */
    readonly symbolFiles?: SymbolFiles;
    /** Of a node: why the samples do not tell whose they are; absent if they do. */
    readonly noCgroups?: NoCgroups;
    /** Of a node: the pods that were sampled, with the names by which their cgroups are recognised. */
    readonly pods?: readonly NamedPod[];
    /** What the kernel counted for the target's CPU use during the capture; absent for packets. */
    readonly cpu?: CpuCounters;
    /** Who or what ended it, as far as the node and the API know. */
    readonly stoppedBy: StoppedBy;
    /** What the API knows about a deletion of the debug pod during the capture; absent if there was none. */
    readonly deletion?: Deletion;
    readonly toolStatus: number;
    readonly kernel: string;
    readonly toolVersion: string;
    /** The image as the node resolved it, with its digest. */
    readonly imageId: string;
    /**
     * tcpdump's three counts, and the size of the kernel's buffer; absent for profiles. On a loopback interface, and so on
     * `any`, the kernel counts a packet as received when it is sent and when it arrives, and tcpdump captures it once.
     */
    readonly packets?: PacketCounts;
  };
  readonly targetChanges: readonly string[];
  /** Why it is not known whether the target changed; absent if it is known. */
  readonly targetUnknown?: string;
  readonly artifact: {
    readonly file: string;
    readonly bytes: number;
    /** Equal on the node and here, or there would be no artifact. */
    readonly sha256: string;
    readonly resumedBytes: number;
  };
  /** What the command read out of the artifact on this computer. */
  readonly findings: Readonly<Record<string, unknown>>;
}

export function makeReceipt(
  plan: Plan,
  result: SessionResult,
  findings: Readonly<Record<string, unknown>>,
): Receipt {
  const { artifact } = result;
  const { isCurrent: _, ...cluster } = result.reached;
  return {
    receiptVersion: 1,
    gkeprof: toolVersion(),
    plan: recordedPlan(plan),
    cluster,
    capture: {
      ...captureOf(result),
      ...(plan.capture.collector === 'tcpdump' && { packets: countsOf(result) }),
    },
    targetChanges: result.targetChanges,
    ...(result.targetUnknown !== undefined && { targetUnknown: result.targetUnknown }),
    artifact: {
      file: artifact.path.split(/[\\/]/).at(-1)!,
      bytes: artifact.bytes,
      sha256: artifact.sha256,
      resumedBytes: artifact.resumedBytes,
    },
    findings,
  };
}

const countsOf = ({ ended, last }: SessionResult): PacketCounts =>
  ended === 'lost'
    ? { capturedAtLeast: last?.packets ?? 0, droppedByKernelAtLeast: last?.dropped ?? 0 }
    : {
        captured: last?.packets ?? 0,
        receivedByFilter: last?.received ?? 0,
        droppedByKernel: last?.dropped ?? 0,
        bufferKiB: last?.buffer ?? 0,
      };

/** In the order of the fields that receipts have always had. */
export const recordedPlan = ({ version, session, node, target, ...rest }: Plan): RecordedPlan => ({
  version,
  session,
  node,
  targets: [target],
  ...rest,
});

/** How the capture went. */
const captureOf = (result: SessionResult): Omit<Receipt['capture'], 'packets'> => ({
  startedAt: new Date(result.startedAt).toISOString(),
  stoppedAt: new Date(result.stoppedAt).toISOString(),
  ended: result.ended,
  ...(result.cut && { cut: result.cut }),
  ...(result.unnamedProcesses > 0 && { unnamedProcesses: result.unnamedProcesses }),
  ...(result.stacks && { stacks: result.stacks }),
  ...(result.symbolFiles && { symbolFiles: result.symbolFiles }),
  ...(result.noCgroups && { noCgroups: result.noCgroups }),
  ...(result.cpu && { cpu: result.cpu }),
  stoppedBy: result.stoppedBy,
  ...(result.deletion && { deletion: result.deletion }),
  toolStatus: result.toolStatus,
  kernel: result.kernel,
  toolVersion: result.toolVersion,
  imageId: result.imageId,
});

/** What the receipt of one recording says of it, in the receipt of a file that has several. */
export type RecordingFacts = Omit<Receipt, 'receiptVersion' | 'gkeprof' | 'cluster' | 'findings'>;

/** The JSON beside a file that has the packets of several recordings. */
export interface CombinedReceipt {
  readonly receiptVersion: 1;
  readonly gkeprof: string;
  readonly plan: { readonly version: 1; readonly targets: readonly Target[] };
  readonly cluster: Receipt['cluster'];
  readonly recordings: readonly RecordingFacts[];
  readonly combined: CombinedFacts;
  readonly artifact: Pick<Receipt['artifact'], 'file' | 'bytes' | 'sha256'>;
}

/** What is in a file of several recordings. */
export interface CombinedFacts {
  readonly packets: number;
  /** Of each interface of the file, in its order. */
  readonly interfaces: readonly CombinedInterface[];
  /** How far the clocks of each two nodes are apart; the times in the file are not corrected. */
  readonly clockOffsets: readonly ClockOffset[];
}

export interface CombinedInterface {
  readonly name: string;
  readonly node: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly packets: number;
  readonly capturedBytes: number;
  /** Packets that were put into the order of their times, and those that came too late for that. */
  readonly reordered: number;
  readonly late: number;
  /** Why its file may have had more than these packets; absent if it had not. */
  readonly incomplete?: string;
}

/** The receipt of several recordings whose packets are in one file. */
export function makeCombinedReceipt(
  recordings: readonly Receipt[],
  combined: CombinedFacts,
  artifact: CombinedReceipt['artifact'],
): CombinedReceipt {
  return {
    receiptVersion: 1,
    gkeprof: toolVersion(),
    plan: { version: 1, targets: recordings.flatMap(({ plan }) => plan.targets) },
    cluster: recordings[0]!.cluster,
    recordings: recordings.map(
      ({ receiptVersion: _, gkeprof: _tool, cluster: _cluster, findings: _findings, ...facts }) => facts,
    ),
    combined,
    artifact,
  };
}

/** The ending of a receipt's name, behind the base name that it shares with its artifact. */
export const RECEIPT_ENDING = '.receipt.json';

/** Writes it as `<base>.receipt.json`, mode 0600, whole or not at all, and returns the path. */
export async function writeReceipt(base: string, receipt: Receipt | CombinedReceipt): Promise<string> {
  const file = new NewFile(base + RECEIPT_ENDING, 'refuse');
  try {
    file.write(Buffer.from(`${JSON.stringify(receipt, null, 2)}\n`));
    file.close();
  } catch (error) {
    file.discard();
    throw error;
  }
  return file.path;
}

/** The names of artifacts: packets, raw stacks, waits, and what was kept before it was compressed. */
const ARTIFACT = /^(.*)\.(?:perf-script\.txt\.gz|pcap(?:\.gz)?|waits\.txt(?:\.gz)?)$/s;

/** The names of files that have several recordings. */
const COMBINED = /^(.*)\.pcapng(?:\.gz)?$/s;

/** More than any receipt has. */
const MOST_BYTES = 1 << 20;
const MOST_COMBINED_BYTES = 16 << 20;

/**
 * The receipt beside a file that has the name of an artifact. Undefined if there is none, or if it is not a receipt of
 * version 1; never rejects. Only a regular file is read, because a FIFO of that name would block the command.
 */
export async function receiptBeside(path: string): Promise<Receipt | undefined> {
  const base = ARTIFACT.exec(path)?.[1];
  return base === undefined ? undefined : ((await readBeside(base, MOST_BYTES)) as Receipt | undefined);
}

/**
 * What was recorded, by the receipt beside a file that has the name of an artifact, or of a file with several recordings: the
 * targets, and the node if it is one. Undefined as for `receiptBeside`.
 */
export async function targetsBeside(
  path: string,
): Promise<{ readonly targets: readonly Target[]; readonly node?: string } | undefined> {
  const base = COMBINED.exec(path)?.[1];
  if (base === undefined) return (await receiptBeside(path))?.plan;
  return ((await readBeside(base, MOST_COMBINED_BYTES)) as CombinedReceipt | undefined)?.plan;
}

async function readBeside(base: string, most: number): Promise<unknown> {
  const file = base + RECEIPT_ENDING;
  try {
    const status = await stat(file);
    if (!status.isFile() || status.size > most) return undefined;
    const receipt = JSON.parse(await readFile(file, 'utf8')) as Partial<Receipt> | null;
    const isReceipt = receipt?.receiptVersion === 1 && Array.isArray(receipt.plan?.targets);
    return isReceipt ? receipt : undefined;
  } catch {
    return undefined;
  }
}
