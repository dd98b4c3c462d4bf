import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf, type Command, disagreement, rewritten } from '../docs/transcript.ts';
import { environment, leavesNothing, world } from './world.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TUTORIAL = 'docs/tutorial.md';
const PATIENT = readFileSync(join(ROOT, 'docs/tutorial/slow-redis.yaml'), 'utf8');

/** Pages with something that is typed, in the order of their names. */
const pages = [
  'README.md',
  ...(readdirSync(join(ROOT, 'docs'), { recursive: true }) as string[]).map((name) => join('docs', name)),
]
  .filter((name) => name.endsWith('.md'))
  .sort()
  .map((name) => ({ name, text: readFileSync(join(ROOT, name), 'utf8') }))
  .map((page) => ({ ...page, blocks: blocksOf(page.text) }))
  .filter(({ blocks }) => blocks.length > 0);

/** What a reader has: kubectl with the plugin, an administrator's rights, and the image of image/Dockerfile. */
const typed = (line: string, cwd: string) =>
  execa('bash', ['-c', `exec 2>&1\n${line.replaceAll('node-a', world().nodes[0])}`], {
    cwd,
    env: {
      ...environment(world().admin),
      GKEPROF_IMAGE: world().images.tools,
      XDG_CONFIG_HOME: cwd,
      TZ: 'UTC',
    },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    // For what hangs: a busy machine takes several times as long as a quiet one.
    timeout: 400_000,
  });

/** Where the Redis of the tutorial and its clients were applied from, if they are there. */
let appliedFrom: string | undefined;

/** What the tutorial sets up in its second block: once for all other pages, which come before it. */
async function setUp(): Promise<void> {
  if (appliedFrom !== undefined) return;
  appliedFrom = mkdtempSync(join(tmpdir(), 'gkeprof-docs-'));
  writeFileSync(join(appliedFrom, 'slow-redis.yaml'), patient());
  for (const { typed: line } of blocksOf(readFileSync(join(ROOT, TUTORIAL), 'utf8'))[1]!.commands)
    expect(await typed(line, appliedFrom)).toMatchObject({ exitCode: 0 });
}

/** Takes it away again; waits until the pods are gone. */
async function takeDown(): Promise<void> {
  if (appliedFrom === undefined) return;
  await typed('kubectl delete -f slow-redis.yaml --ignore-not-found', appliedFrom);
  rmSync(appliedFrom, { recursive: true });
  appliedFrom = undefined;
}
afterAll(takeDown);

/** With the images of this cluster, Redis on one node and its clients on the other. */
function patient(): string {
  const grace = '      terminationGracePeriodSeconds: 1\n';
  const [redis, ...clients] = PATIENT.replaceAll('redis:8', world().images.redisFp).split(grace);
  const [nodeA, nodeB] = world().nodes;
  const on = (node: string) => `${grace}      nodeName: ${node}\n`;
  return `${redis}${on(nodeA)}${clients.join(on(nodeB))}`;
}

describe.each(pages)('$name', ({ name, text, blocks }) => {
  leavesNothing();
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-docs-'));
  const runs: Array<readonly [Command, readonly string[]]> = [];

  beforeAll(async () => {
    cpSync(join(ROOT, dirname(name)), folder, {
      recursive: true,
      filter: (path) => !/node_modules|\.git$|dist/.test(path),
    });
    writeFileSync(join(folder, 'slow-redis.yaml'), patient());
    // The tutorial begins with nothing; every other page with what the tutorial sets up.
    await (name === TUTORIAL ? takeDown() : setUp());
  });
  afterAll(async () => {
    if (name === TUTORIAL) await typed('kubectl delete -f slow-redis.yaml --ignore-not-found', folder);
    rmSync(folder, { recursive: true });
    if (runs.length) writeFileSync(join(ROOT, name), rewritten(text, runs));
  });

  for (const block of blocks) {
    for (const command of block.commands) {
      it(`line ${block.line}: ${command.typed}`, async () => {
        const { stdout, exitCode } = await typed(command.typed, folder);
        expect(exitCode, stdout).toBe(command.exit);
        if (block.kind === 'sh') return;
        const printed = stdout.split('\n');
        const missed = disagreement(command.printed, printed, block.vary);
        if (missed !== undefined && process.env.BLESS) runs.push([command, printed]);
        else expect(missed, `a line of the page that this has not:\n${stdout}`).toBeUndefined();
      });
    }
  }
});
