import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { nodeFolder, PINS } from '../cluster/home.ts';
import type { Stage } from '../faults/matrix.ts';
import { type FaultProxy, throughProxy } from './fault-proxy.ts';
import { type FaultServer, throughServer } from './fault-server.ts';
import { eventually, kubectl, NAMESPACE, SLOW_IMAGE, start, world } from './world.ts';

const SLOW_COPY = 20_000;

/** A recording that a fault is made for. */
export class Recording {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly target: string;
  readonly run: ReturnType<typeof start>;
  /** Called when the recording is over, the last one first: what ends the fault. */
  readonly restore: Array<() => unknown> = [];
  readonly #doors: { readonly proxy?: FaultProxy; readonly server?: FaultServer };
  #said = '';
  #uid: string | undefined;
  isOver = false;

  constructor(
    { folder, kubeconfig, target }: { folder: string; kubeconfig: string; target: string },
    doors: { readonly proxy?: FaultProxy; readonly server?: FaultServer },
    words: readonly string[],
  ) {
    this.folder = folder;
    this.kubeconfig = kubeconfig;
    this.target = target;
    this.#doors = doors;
    const [verb, ...flags] = words;
    this.run = start([verb!, target, '-n', NAMESPACE, '--output-dir', folder, ...flags], { kubeconfig });
    this.run.stderr!.on('data', (chunk) => {
      this.#said += chunk;
    });
    void this.run.then(() => {
      this.isOver = true;
    });
  }

  /** The connection to the API server, which cannot read what it hands on. */
  get proxy(): FaultProxy {
    return this.#doors.proxy!;
  }

  /** The connection to the API server, which reads the requests. */
  get server(): FaultServer {
    return this.#doors.server!;
  }

  /** Makes a copy last long enough to be met, however busy this process is. */
  slowDown(): void {
    if (this.#doors.proxy) this.proxy.bytesPerSecond = SLOW_COPY;
    else this.server.holdFiles();
  }

  /** Ends that, unless the speed is the fault. */
  speedUp(): void {
    this.#doors.server?.handOnFiles();
    if (this.#doors.proxy?.bytesPerSecond === SLOW_COPY) this.proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
  }

  /** What was printed on stderr so far. */
  get said(): string {
    return this.#said;
  }

  /** The name of the debug pod, as soon as it is being created. */
  get pod(): string | undefined {
    return /creating the debug pod gkeprof\/([\w-]+)/.exec(this.#said)?.[1];
  }

  /** The uid of the debug pod; waits for it. */
  async uid(): Promise<string> {
    while (!this.#uid && !this.isOver) {
      this.#uid ||= this.pod && (await uidOf('gkeprof', this.pod));
      if (!this.#uid) await delay(20);
    }
    if (!this.#uid) throw new Error(`over before there was a debug pod: ${this.said}`);
    return this.#uid;
  }

  /** The folder on the node whose files the debug pod hands over, by its path on this machine. */
  async scratch(): Promise<string> {
    const uid = await this.uid();
    const pods = join(nodeFolder(world().nodes[0]), 'var/lib/kubelet/pods');
    const volume = join(pods, uid, 'volumes/kubernetes.io~empty-dir/scratch');
    while (!this.isOver) {
      if (existsSync(volume)) return join(volume, 'out');
      // A pod without volumes has them in its memory.
      const script = processesOf(uid).find(({ words }) => words.includes('gkeprof-files'));
      if (script) return join('/proc', script.pid.toString(), 'root/dev/shm/gkeprof/out');
      await delay(5);
    }
    throw new Error(`over before there was a folder: ${this.said}`);
  }

  async close(): Promise<void> {
    await this.#doors.proxy?.close();
    await this.#doors.server?.close();
  }
}

const uidOf = async (namespace: string, name: string): Promise<string> =>
  kubectl(['get', 'pod', '-n', namespace, name, '--ignore-not-found', '-o', 'jsonpath={.metadata.uid}']);

/** Starts a recording whose connection is in the hands of the suite. */
export async function record(
  folder: string,
  door: 'proxy' | 'server',
  target: string,
  words: readonly string[],
): Promise<Recording> {
  mkdirSync(folder, { recursive: true });
  const kubeconfig = `${folder}.kubeconfig`;
  const doors =
    door === 'proxy'
      ? { proxy: await throughProxy(world().sre, kubeconfig) }
      : { server: await throughServer(world().sre, kubeconfig) };
  return new Recording({ folder, kubeconfig, target }, doors, words);
}

/** What is typed for a stage: some stages have to last long enough to be met. `isLong`: the recording is to be met after the pull. */
export function wordsFor(stage: Stage, keepSeconds: number, isLong = false): string[] {
  const keep = ['--keep', `${keepSeconds}s`];
  switch (stage) {
    case 'pull':
      return [
        'pcap',
        '--port',
        '6379',
        '--duration',
        isLong ? '8s' : '2s',
        '--image',
        SLOW_IMAGE,
        '--image-pull-policy',
        'Always',
        ...keep,
      ];
    case 'stop':
      return ['pcap', '--port', '6379', '--duration', '20s', ...keep];
    case 'capture':
      return ['pcap', '--port', '6379', '--duration', '8s', ...keep];
    case 'finish':
      return ['flamegraph', '--duration', '3s', ...keep];
    default:
      return ['pcap', '--port', '6379', '--duration', '3s', ...keep];
  }
}

/** Resolves when a recording is in a stage; rejects if it was over before. */
export async function reaches(stage: Stage, recording: Recording, pull?: SlowPull): Promise<void> {
  const until = async (holds: () => boolean, ms = 3): Promise<void> => {
    while (!holds()) {
      if (recording.isOver) throw new Error(`over before ${stage}:\n${recording.said}`);
      await delay(ms);
    }
  };
  const says = (words: string) => until(() => recording.said.includes(words));
  switch (stage) {
    case 'create':
      return until(() => recording.pod !== undefined);
    case 'pull':
      await pull!.asked;
      return;
    case 'start':
      await recording.uid();
      return;
    case 'capture':
      await recording.uid();
      await says('capturing for');
      await delay(700);
      return;
    case 'stop':
      await recording.uid();
      await says('capturing for');
      await delay(1500);
      recording.run.kill('SIGINT');
      return says('stopping: ');
    case 'finish': {
      const events = join(await recording.scratch(), 'events.jsonl');
      await says('capturing for');
      const is = (event: string) => textOf(events).includes(`"event":"${event}"`);
      await until(() => is('stopping'), 1);
      if (is('end')) throw new Error('missed finish');
      return;
    }
    case 'copy':
      await recording.uid();
      await says('capturing for');
      recording.slowDown();
      return says('copying and verifying');
    case 'verify': {
      const events = join(await recording.scratch(), 'events.jsonl');
      await says('copying and verifying');
      const bytes = Number(/"event":"artifact".*"bytes":(\d+)/.exec(textOf(events))?.[1]);
      await until(() => sizeOfPart(recording.folder) === bytes || hasArtifact(recording.folder), 1);
      if (hasArtifact(recording.folder)) throw new Error('missed verify');
      return;
    }
    case 'delete':
      await recording.uid();
      return until(() => hasArtifact(recording.folder), 1);
  }
}

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

const hasArtifact = (folder: string): boolean =>
  readdirSync(folder).some((name) => /^[^.].*\.gz$/.test(name));

function sizeOfPart(folder: string): number | undefined {
  const temporary = readdirSync(folder).find((name) => name.startsWith('.gkeprof-'));
  return temporary === undefined
    ? undefined
    : statSync(join(folder, temporary, 'part'), { throwIfNoEntry: false })?.size;
}

/** A pull of the diagnostic image that lasts as long as it is held. */
export interface SlowPull {
  /** Resolves when the node asks for the image. */
  readonly asked: Promise<void>;
  /** Lets the pull end. */
  goOn(): void;
  close(): Promise<void>;
}

/** Holds the next pull of SLOW_IMAGE on the first node, which knows the image by its own name. */
export async function holdPull(folder: string): Promise<SlowPull> {
  const node = world().nodes[0];
  const enter = ['nsenter', ...['net', 'uts'].map((kind) => `--${kind}=${join(PINS, `${node}.${kind}`)}`)];
  const ctr = ['nsenter', `--mount=${join(PINS, `${node}.mnt`)}`, 'ctr', '--namespace', 'k8s.io'];
  const run = async (words: readonly string[]) => (await execa(words[0]!, words.slice(1))).stdout;
  const listed = (await run([...ctr, 'images', 'list'])).split('\n');
  const own = listed.find((line) => line.includes(`${world().images.tools} `))!;
  const digest = /sha256:[0-9a-f]{64}/.exec(own)![0];
  const manifest = join(folder, 'manifest.json');
  await execa('sh', ['-c', `"$@" >${manifest}`, 'sh', ...ctr, 'content', 'get', digest]);
  const script = join(import.meta.dirname, 'slow-registry.ts');
  const port = SLOW_IMAGE.split(/[:/]/)[1]!;
  const registry = execa(enter[0]!, [...enter.slice(1), process.execPath, script, port, manifest], {
    reject: false,
    stdin: 'pipe',
  });
  let said = '';
  registry.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const hears = async (word: string) => {
    await eventually(
      async () => said,
      (text) => text.includes(word),
      60,
    );
    if (!said.includes(word)) throw new Error(`the registry never said ${word}`);
  };
  await hears('ready');
  return {
    asked: hears('asked'),
    goOn: () => void registry.stdin.write('go on\n'),
    async close() {
      registry.stdin.end();
      await registry;
      await execa(ctr[0]!, [...ctr.slice(1), 'images', 'remove', SLOW_IMAGE], { reject: false });
    },
  };
}

/** Writes into a file until its disk has not one byte left. */
export function fillUp(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 1 << 20; size >= 1; size = Math.floor(size / 2)) writeUntilFull(file, size);
  } catch {
    // The last byte did not fit.
  } finally {
    closeSync(file);
  }
}

function writeUntilFull(file: number, size: number): void {
  try {
    for (;;) writeSync(file, Buffer.alloc(size));
  } catch (error) {
    if (size === 1) throw error;
  }
}

/** The processes of a pod on the node, which on this cluster are processes of this machine. */
export function processesOf(
  uid: string,
): Array<{ readonly pid: number; readonly words: string; readonly name: string }> {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        if (!readFileSync(`/proc/${name}/cgroup`, 'utf8').includes(uid)) return [];
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return [{ pid: Number(name), words, name: readFileSync(`/proc/${name}/comm`, 'utf8').trim() }];
      } catch {
        return []; // It has just ended.
      }
    });
}
