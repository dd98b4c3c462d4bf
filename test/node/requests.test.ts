import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { ctlOf, outOf } from '../../src/node/folders.ts';
import { request } from '../../src/node/requests.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { PERF, planOf } from '../plans.ts';

describe('the folder of a recorder', () => {
  it('is that of the pod if it has only one, and else one of its own', () => {
    expect(outOf(planOf(PERF))).toBe('/gkeprof/out');
    expect(outOf({ ...planOf(PERF), recorder: 12, recorders: 20 })).toBe('/gkeprof/out/12');
  });

  it('is in the memory that the containers of a pod share if the pod has no volume', () => {
    const plan = planOf(PERF);
    const inMemory: Plan = { ...plan, debugPod: { ...plan.debugPod, scratch: 'memory' } };
    expect([outOf(inMemory), ctlOf(inMemory)]).toEqual(['/dev/shm/gkeprof/out', '/dev/shm/gkeprof/ctl']);
    expect(request('stop', `${ctlOf(inMemory)}/stop`)).toEqual(['touch', '/dev/shm/gkeprof/ctl/stop']);
    expect(() => request('stop', '/dev/shm/gkeprof/ctl/../stop')).toThrow(/not a value/);
    expect(() => request('lease', '/dev/shm/gkeprof/out/lease')).toThrow(/not a value/);
  });

  it.each(['/gkeprof/out', '/gkeprof/out/1', '/gkeprof/out/100', '/dev/shm/gkeprof/out'])(
    '%s is where requests may read',
    (folder) => {
      expect(request('events', `${folder}/events.jsonl`)).toEqual(['cat', `${folder}/events.jsonl`]);
      for (const name of ['log', 'copy', 'take', 'salvage'] as const)
        expect(request(name, `${folder}/perf.log`).at(-1)).toBe(`${folder}/perf.log`);
      expect(request('range', `${folder}/capture.pcap`, '1', '5').slice(-3)).toEqual([
        `${folder}/capture.pcap`,
        '1',
        '5',
      ]);
    },
  );

  it.each([
    '/gkeprof/out/0',
    '/gkeprof/out/01',
    '/gkeprof/out/1000',
    '/gkeprof/out/1/2',
    '/gkeprof/out/..',
    '/gkeprof/out/1/..',
    '/gkeprof/work',
    '/gkeprof',
    '/dev/shm/out',
    '/dev/shm/gkeprof/gkeprof/out',
    '',
  ])('%j is where they may not', (folder) => {
    expect(() => request('events', `${folder}/events.jsonl`)).toThrow(/not a value/);
    expect(() => request('log', `${folder}/perf.log`)).toThrow(/not a value/);
  });

  it('has events in no other file', () => {
    for (const name of ['perf.log', 'events-jsonl', 'events.jsonl.gz', 'xevents.jsonl'])
      expect(() => request('events', `/gkeprof/out/${name}`)).toThrow(/not a value/);
  });
});

describe('the shell that waits for the line that asks for a file', () => {
  /** The same words for a file of this machine. */
  const waiting = (path: string) => {
    const [program, ...words] = request('take', '/gkeprof/out/capture.pcap.gz').slice(0, -1);
    return execa(program!, [...words, path], { stripFinalNewline: false, reject: false });
  };

  it('says that it is there, sends the file as it is when it is asked for, and waits until it is received', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-take-'));
    try {
      const path = join(folder, 'capture.pcap.gz');
      const shell = waiting(path);
      let got = '';
      shell.stdout.on('data', (chunk) => {
        got += chunk;
      });
      await expect.poll(() => got).toBe('\n');
      // The file is made only now.
      writeFileSync(path, 'a\0b\n');
      shell.stdin.write('\n');
      await expect.poll(() => got).toBe('\na\0b\n');
      // It would have ended well if it had not waited for another line.
      shell.stdin.end();
      expect((await shell).exitCode).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('ends, and sends nothing, when its client goes away', async () => {
    const shell = waiting('/etc/hostname');
    shell.stdin.end();
    const { stdout, exitCode } = await shell;
    expect(stdout).toBe('\n');
    expect(exitCode).toBe(1);
  });
});
