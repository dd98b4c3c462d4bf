import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { capturePrograms } from '../../../src/collectors/script.ts';
import { waits } from '../../../src/collectors/waits/waits.ts';

/** The text of the sampler, as the node gets it. */
export const samplerText = (): string => capturePrograms([waits])[0]!;
const PROGRAMS = fileURLToPath(new URL('../../programs/', import.meta.url));

/** Waits until a condition holds, however long the machine takes. */
export async function until<T>(what: string, find: () => T | undefined | false): Promise<T> {
  for (let tries = 0; tries < 1200; tries += 1) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    await delay(50);
  }
  throw new Error(`${what} did not happen within a minute`);
}

/** A folder with a program, and what of it is to be looked at: its threads, as the kernel would list them in a cgroup. */
export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'gkeprof-waits-'));
  readonly scope = join(this.folder, 'scope');
  readonly #children: ChildProcess[] = [];
  #said = '';

  constructor() {
    mkdirSync(this.scope);
    this.list([]);
  }

  /** What the program has printed so far. */
  get said(): string {
    return this.#said;
  }

  /** Starts test/programs/waiting.c, and waits until all of its threads are about to wait. Returns their ids by role. */
  async waiting(...roles: string[]): Promise<ReadonlyMap<string, number>> {
    const program = join(this.folder, 'waiting');
    execFileSync('gcc', ['-O1', '-pthread', '-o', program, join(PROGRAMS, 'waiting.c')]);
    const child = this.start(program, roles);
    const named = roles.filter((role) => !role.startsWith('many='));
    await until('the start of the threads', () => {
      if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}`);
      const lines = this.#said.split('\n').filter(Boolean);
      return lines.some((line) => line.startsWith('ready')) && lines.length >= named.length + 3;
    });
    return new Map(
      this.#said
        .trim()
        .split('\n')
        .map((line) => [line.replace(/ \d+$/, ''), Number(/\d+$/.exec(line)![0])] as const),
    );
  }

  start(command: string, args: readonly string[]): ChildProcess {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout!.on('data', (chunk) => {
      this.#said += chunk;
    });
    this.#children.push(child);
    return child;
  }

  list(threads: readonly number[]): void {
    // As in a cgroup there is no moment with half a list, or none: it is written over the one before, and never gets shorter.
    const path = join(this.scope, 'cgroup.threads');
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    const text = threads.map((tid) => `${tid}\n`).join('');
    writeFileSync(path, text.padEnd(size ?? 0, '\n'), { flag: size === undefined ? 'w' : 'r+' });
  }

  /** Lists all threads of processes. */
  listAll(...pids: number[]): void {
    this.list(pids.flatMap((pid) => readdirSync(`/proc/${pid}/task`).map(Number)));
  }

  /** Starts the sampler. `most` is how many threads it may look at. */
  record({ most = 4000, rate = 50 } = {}): Recording {
    const out = join(this.folder, `out-${this.#children.length}`);
    const reason = join(this.folder, 'reason');
    const netns = openSync('/proc/self/ns/net', 'r');
    const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
    const words = [out, reason, arch, rate, most, 3, '', this.scope, 'scope', this.folder, this.folder, 100];
    const sampler = join(this.folder, 'sampler.pl');
    writeFileSync(sampler, samplerText());
    const child = spawn('perl', [sampler, ...words.map(String)], {
      stdio: ['ignore', 'pipe', 'pipe', netns],
    });
    this.#children.push(child);
    return new Recording(child, out, reason);
  }

  end(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true });
  }
}

/** One line of the recording: its fields, of which the first is its kind. */
export type Line = readonly string[];

export class Recording {
  readonly #ended: Promise<number | null>;
  #errors = '';

  readonly child: ChildProcess;
  readonly out: string;
  readonly reason: string;

  constructor(child: ChildProcess, out: string, reason: string) {
    this.child = child;
    this.out = out;
    this.reason = reason;
    child.stderr!.on('data', (chunk) => {
      this.#errors += chunk;
    });
    this.#ended = new Promise((resolve) => child.on('close', resolve));
  }

  /** The lines that were written so far. */
  lines(): Line[] {
    let text = '';
    try {
      text = readFileSync(this.out, 'latin1');
    } catch {
      return [];
    }
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '));
  }

  /** The last look at each thread. */
  looks(): ReadonlyMap<number, Line> {
    return new Map(this.lines().flatMap((line) => (line[0] === 'look' ? [[Number(line[2]), line]] : [])));
  }

  /** Ends it as the node's script does, and returns what it wrote. Throws if it printed anything on stderr. */
  async stop(reason = 'time'): Promise<Line[]> {
    writeFileSync(this.reason, `${reason}\n`);
    this.child.kill('SIGTERM');
    const status = await this.#ended;
    if (status !== 0 || this.#errors) throw new Error(`status ${status}: ${this.#errors}`);
    return this.lines();
  }
}

/** The object of a look, with its sockets and files by what they are. */
export function objectOf(look: Line, lines: readonly Line[]): string {
  const named = (kind: string, number: string) =>
    lines
      .find((line) => line[0] === kind && line[2] === number)!
      .slice(3)
      .join(' ');
  const object = look[10]!;
  const [, kind, number] = /^(s|f|flock):(\d+)$/.exec(object) ?? [];
  if (kind === undefined) return object;
  return `${kind} ${named(kind === 's' ? 'sock' : 'file', number!)}`;
}

/** A string of the recording as it was. */
export const unescaped = (text: string): string =>
  text === '%'
    ? ''
    : text.replace(/%([0-9A-F]{2})/g, (_all, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
