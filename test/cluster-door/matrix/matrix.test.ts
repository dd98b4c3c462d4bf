import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, expect, it } from 'vitest';
import { openCluster } from '../../../src/cluster/api.ts';
import { kubectlFlags } from '../../../src/cluster/connection.ts';
import { reasonOf } from '../../../src/errors.ts';
import { KUBECTL, KUBECTL_PATH } from '../../real-kubectl.ts';
import { type Case, casesOf } from './cases.ts';
import { makePki } from './pki.ts';
import { type Seen, startWorld } from './world.ts';

const root = mkdtempSync(join(tmpdir(), 'gkeprof-matrix-'));
const pki = await makePki(join(root, 'pki'));
const world = await startWorld(pki);
afterAll(() => {
  world.close();
  rmSync(root, { recursive: true });
});

const folderOf = (name: string) => join(root, name.replace(/[^\w-]+/g, '_'));

/** Writes the files of a case anew: kubectl writes refreshed tokens into a kubeconfig. */
function lay({ files = {} }: Case, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    writeFileSync(path, text);
    if (text.startsWith('#!')) chmodSync(path, 0o755);
  }
}

function environment({ env = {} }: Case, folder: string): Record<string, string> {
  const { KUBECONFIG: listed = 'config', ...rest } = env;
  const paths = listed.split(':').map((name) => name && join(folder, name));
  return { HOME: folder, PATH: KUBECTL_PATH, KUBECONFIG: paths.join(':'), ...rest };
}

/**
 * Where a request went and as whom, without the word that says whose it is. What kubectl tells the server of its
 * --request-timeout says nothing of that: we keep the time here.
 */
const told = (seen: readonly Seen[], who: string) =>
  seen.map(({ path, ...rest }) => ({
    ...rest,
    path: path.replace(who, 'NAMESPACE').replace(/\?timeout=\w+$/, ''),
  }));

/** Of a plugin: what it was told, each time it ran. */
function pluginRuns(folder: string): string[] {
  const path = ['plugin.log', 'sub/plugin.log']
    .map((name) => join(folder, name))
    .find((each) => existsSync(each));
  return path === undefined ? [] : readFileSync(path, 'utf8').trim().split('\n');
}

const cases = casesOf(world, pki, folderOf);
const words = (at: number, who: string) => `m${at}-${who}`;

it.concurrent.each(cases.map((each, at) => [each.name, each, at] as const))('%s', async (_, each, at) => {
  const folder = folderOf(each.name);
  const env = environment(each, folder);
  const flags = each.flags ?? {};
  const refreshed = () => (each.refreshes ? world.refreshes(each.refreshes) : 0);

  lay(each, folder);
  const path = (who: string) => `/api/v1/namespaces/${words(at, who)}/pods/y`;
  const judge = await execa(KUBECTL, ['get', '--raw', path('judge'), ...kubectlFlags(flags)], {
    env,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  });
  const expected = told(world.seen(words(at, 'judge')), words(at, 'judge'));
  const [runsOfJudge, refreshesOfJudge] = [pluginRuns(folder), refreshed()];

  lay(each, folder);
  const home = { env, windows: false };
  const opened = await openCluster(flags, home).catch((error: unknown) => reasonOf(error));
  const said =
    typeof opened === 'string' ? opened : await opened.readPod(words(at, 'api'), 'y').catch(reasonOf);
  const ours = told(world.seen(words(at, 'api')), words(at, 'api'));

  if (each.refused) {
    expect(judge.stderr).toMatch(each.refused);
    expect(said).toMatch(each.refused);
    expect([expected, ours]).toEqual([[], []]);
    if (typeof opened !== 'string') await opened.close();
    return;
  }
  expect(judge.stderr).toContain('reached');
  expect(expected).toHaveLength(1);
  expect(said).toMatch(/^Error from server \(NotFound\): reached/);
  expect(ours).toEqual(expected);

  if (typeof opened === 'string') throw new Error(opened);
  const ref = { namespace: words(at, 'child'), pod: 'y', container: 'c' };
  const child = await opened.copy(ref, '/f', folder, 'copied');
  await opened.close();
  expect(child.stderr).toContain('reached');
  expect(told(world.seen(words(at, 'child')), words(at, 'child'))).toEqual(expected);

  if (each.plugin !== undefined) {
    expect(runsOfJudge).toHaveLength(each.plugin);
    expect(pluginRuns(folder).map(parsed)).toEqual(runsOfJudge.map(parsed));
  }
  if (each.refreshes) {
    expect([refreshesOfJudge, refreshed()]).toEqual([1, 2]);
    // The next command of the user needs the new one.
    expect(readFileSync(join(folder, 'config'), 'utf8')).toMatch(/refresh-token"?: "?next/);
  }
});

/** What a plugin was told, and its arguments: the order of keys says nothing. */
const parsed = (line: string): unknown[] => {
  const end = line.lastIndexOf('}') + 1;
  return [JSON.parse(line.slice(0, end)), line.slice(end)];
};
