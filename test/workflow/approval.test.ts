import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Reached } from '../../src/cluster/cluster.ts';
import { makePlans } from '../../src/plan/plan.ts';
import { debugPodKinds } from '../../src/policy/kinds.ts';
import { debugPod } from '../../src/session/pod-manifest.ts';
import { planHash, printApproval, requireApproval } from '../../src/workflow/approval.ts';

const REACHED: Reached = { context: 'test', server: 'https://api.example', isCurrent: true };
const [KIND] = debugPodKinds('gkeprof') as [ReturnType<typeof debugPodKinds>[number]];

/** The same plan again, as another run of the command makes it: with a session of its own. */
function again(change: (plan: typeof KIND.plan) => typeof KIND.plan = (plan) => plan): V1Pod {
  const { target, capture, limits, debugPod: pod, reason, user } = change(KIND.plan);
  const { name: _, ...planned } = pod;
  const plans = makePlans({
    works: [{ target, capture }],
    limits,
    debugPod: planned,
    ...(reason !== undefined && { reason }),
    ...(user !== undefined && { user }),
  });
  return debugPod(plans, KIND.work);
}

let home: string;
let now: number;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'gkeprof-approval-'));
  now = 1_800_000_000_000;
});
afterEach(() => rmSync(home, { recursive: true }));

const around = (env: Record<string, string> = { HOME: home }) => ({ env, windows: false, now: () => now });

/** What --approve prints on a terminal. */
function approve(pods: readonly V1Pod[], isTTY = true, reached = REACHED): string {
  let printed = '';
  const stdout = { isTTY, write: (text: string | Uint8Array) => (printed += String(text)) };
  printApproval(pods, reached, {
    ...around(),
    stdout: { ...stdout, raw: stdout, end: () => {} },
    log: { end: () => {} } as never,
  });
  return printed;
}

const tokenFor = (...words: Parameters<typeof approve>): string =>
  /^[0-9a-z]+-[0-9a-f]{32}$/m.exec(approve(...words))![0];
const refusal = (token: string, pods: readonly V1Pod[], reached = REACHED, env?: Record<string, string>) => {
  try {
    requireApproval(token, pods, reached, around(env));
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('the hash of a plan', () => {
  it('is the same for each session of the same plan', () => {
    const [one, other] = [again(), again()];
    expect(JSON.stringify(one)).not.toBe(JSON.stringify(other));
    expect(planHash([one], 'x')).toBe(planHash([other], 'x'));
  });

  it('differs for each kind of debug pod, and for another cluster', () => {
    const pods = debugPodKinds('gkeprof').map(({ plans, work }) => debugPod(plans, work));
    expect(new Set(pods.map((pod) => planHash([pod], 'x'))).size).toBe(pods.length);
    expect(planHash([again()], 'x')).not.toBe(planHash([again()], 'y'));
  });
});

describe('a token', () => {
  it('is for the plan that was printed', () => {
    const printed = approve([again()]);
    expect(printed).toContain('This would be recorded in the cluster test (https://api.example):');
    expect(printed).toContain('  recordsFor: 60');
    expect(refusal(tokenFor([again()]), [again()])).toBe('');
  });

  it.each<[string, Parameters<typeof again>[0]]>([
    ['a longer recording', (plan) => ({ ...plan, limits: { ...plan.limits, durationSeconds: 61 } })],
    ['another target', (plan) => ({ ...plan, target: { ...plan.target, node: 'node-b' } })],
    ['another image', (plan) => ({ ...plan, debugPod: { ...plan.debugPod, image: 'evil' } })],
    ['another reason', (plan) => ({ ...plan, reason: 'another' })],
    ['another user', (plan) => ({ ...plan, user: 'jane' })],
  ])('is not for %s', (_what, change) => {
    expect(refusal(tokenFor([again()]), [again(change)])).toMatch(
      /^nothing was recorded: the token is for another/,
    );
  });

  it('is not for more or fewer pods, nor for another cluster', () => {
    const token = tokenFor([again()]);
    expect(refusal(token, [again(), again()])).toMatch(/for another recording/);
    expect(refusal(token, [])).toMatch(/for another recording/);
    expect(refusal(token, [again()], { ...REACHED, server: 'https://other' })).toMatch(
      /for another recording/,
    );
  });

  it('expires, and its time cannot be changed', () => {
    const token = tokenFor([again()]);
    now += 15 * 60_000 + 1000;
    expect(refusal(token, [again()])).toMatch(/has expired$/);
    const later = Math.floor(now / 1000 + 60).toString(36);
    expect(refusal(`${later}-${token.split('-')[1]}`, [again()])).toMatch(/for another recording/);
  });

  it.each([
    '',
    'x',
    '-',
    `zzzzzz-${'0'.repeat(31)}`,
    `zzzzzz-${'0'.repeat(32)}\n`,
    `zzzzzz-${'G'.repeat(32)}`,
  ])('is not %j', (text) =>
    expect(refusal(text, [again()])).toMatch(/^nothing was recorded: this is not a token/),
  );

  it('is made with a key that only the user can read', () => {
    const token = tokenFor([again()]);
    const key = join(home, '.config/gkeprof/approval.key');
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const other = mkdtempSync(join(home, 'other-'));
    expect(refusal(token, [again()], REACHED, { HOME: other })).toMatch(/for another recording/);
    chmodSync(key, 0o644);
    expect(refusal(token, [again()])).toMatch(/other users of this machine can read/);
    expect(refusal(token, [again()], REACHED, {})).toMatch(/no folder for the key/);
  });

  it('is printed on a terminal only', () => {
    expect(() => approve([again()], false)).toThrow('--approve needs a terminal');
  });

  it('comes with texts in which a line feed is no line', () => {
    const printed = approve([again((plan) => ({ ...plan, reason: 'a\n  target: pod/harmless\x1b[2J' }))]);
    expect(printed).not.toMatch(/^ {2}target: pod\/harmless/m);
    expect(printed).not.toContain('\x1b');
  });
});
