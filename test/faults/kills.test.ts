import { describe, expect, it } from 'vitest';
import { ENDINGS, type EndedSession, killPlans, killProblems } from './kills.ts';

const files = [
  { name: 'a.pcap.gz', state: 'same' },
  { name: 'a.receipt.json', state: 'whole' },
] as const;
const done: EndedSession = {
  ending: 'none',
  wasHit: false,
  code: 0,
  signal: undefined,
  stderr: 'creating the debug pod gkeprof/gkeprof-tcpdump-0123456789\nResults:\n',
  files,
  remains: [],
};
const interrupted: EndedSession = {
  ...done,
  ending: 'SIGINT',
  wasHit: true,
  code: 130,
  stderr: `${done.stderr}error: interrupted: nothing was kept\n`,
  files: [],
};

describe('the judgement of killed sessions', () => {
  it.each<[string, EndedSession]>([
    ['one that was left alone', done],
    ['one that was interrupted after it had ended', { ...done, ending: 'SIGINT' }],
    ['one that was stopped early and kept its file', { ...done, ending: 'SIGTERM', wasHit: true }],
    ['one that was interrupted', interrupted],
    [
      'one that was interrupted before it had begun',
      { ...interrupted, code: undefined, signal: 'SIGINT', stderr: '' },
    ],
    ['one of which no packet came', { ...done, code: 4, stderr: '0 packets captured' }],
    [
      'one that was interrupted while it drew',
      {
        ...interrupted,
        code: 5,
        stderr: 'error: d/a.pcap.gz was recorded and verified, but processing it was interrupted',
        files: [{ name: 'a.pcap.gz', state: 'unreceipted' }],
      },
    ],
    [
      'one that was killed with a copy under way',
      {
        ...done,
        ending: 'SIGKILL',
        wasHit: true,
        code: undefined,
        signal: 'SIGKILL',
        files: [],
        remains: ['.gkeprof-1'],
      },
    ],
  ])('finds nothing wrong with %s', (_what, session) => {
    expect(killProblems(session)).toEqual([]);
  });

  it.each<[string, EndedSession]>([
    ['status 0 without a file and its receipt', { ...done, files: [] }],
    [
      'status 0 without the picture',
      { ...done, files: [{ name: 'a.perf-script.txt.gz', state: 'same' }, files[1]] },
    ],
    ['status 0 with an error', { ...done, stderr: 'error: x' }],
    ['status 3 without a signal', { ...done, code: 3 }],
    ['status 5 without a signal', { ...done, code: 5 }],
    ['status 143 after SIGINT', { ...interrupted, code: 143 }],
    ['status 130 without its reason', { ...interrupted, stderr: done.stderr }],
    ['status 0 after SIGKILL', { ...done, ending: 'SIGKILL', wasHit: true }],
    ['a.pcap.gz is not whole', { ...done, files: [{ name: 'a.pcap.gz', state: 'broken' }, files[1]] }],
    ['a.pcap.gz has no receipt', { ...done, files: [{ name: 'a.pcap.gz', state: 'unreceipted' }, files[1]] }],
    ['a.pcap.gz left behind status 130', { ...interrupted, files: [files[0]] }],
    ['left .gkeprof-1', { ...done, remains: ['.gkeprof-1'] }],
    ['it calls itself a bug', { ...interrupted, stderr: `${interrupted.stderr}hint: this is a bug in` }],
    [
      'its debug pod was not removed',
      { ...interrupted, stderr: `${interrupted.stderr}the debug pod was not removed` },
    ],
    ['status 5 without the file that was kept', { ...interrupted, code: 5, files }],
    ['status 4 without a reason', { ...done, code: 4 }],
  ])('finds %s', (problem, session) => {
    expect(killProblems(session)).toContain(problem);
  });

  it('draws the same sessions from the same seed, and others from another', () => {
    expect(killPlans(7, 50, 3)).toEqual(killPlans(7, 50, 3));
    expect(killPlans(7, 50, 3)).not.toEqual(killPlans(8, 50, 3));
    const plans = killPlans(1, 1000, 3);
    for (const ending of ENDINGS)
      expect(plans.filter((plan) => plan.ending === ending).length).toBeGreaterThan(120);
    expect(new Set(plans.map(({ command }) => command))).toEqual(new Set([0, 1, 2]));
  });
});
