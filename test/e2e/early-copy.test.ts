// The connection for the file, which is opened when a recording ends, and what can become of it.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatBytes } from '../../src/text/quantity.ts';
import { processesOf, type Recording, record } from './fault-cell.ts';
import type { FileFault } from './fault-server.ts';
import { finalFiles } from './final-files.ts';
import { debugPods, eventually, kubectl, outputFolder } from './world.ts';

const WORDS = ['pcap', '--port', '6379', '--duration', '4s', '-v'];

/** The bytes that came over the connection, by what -v prints; undefined if the whole file came. */
const brought = ({ said }: Recording): string | undefined =>
  /the connection that was opened early brought (.*) of .*: /.exec(said)?.[1];

const calls = ({ said }: Recording, verb: 'cp' | 'exec', word = ''): number =>
  said.split('\n').filter((line) => line.includes(` ${verb} `) && line.includes(word)).length;

const FAULTS: Readonly<Record<string, FileFault>> = {
  'broken before its first byte': { after: 0, becomes: 'broken' },
  'broken in the middle': { after: 10_000, becomes: 'broken' },
  'ended in the middle, as if all was well': { after: 10_000, becomes: 'ended well' },
  'silent in the middle': { after: 10_000, becomes: 'silent' },
};

describe('the connection that is opened before the file is there', () => {
  const output = outputFolder();

  it('brings the file alone', async () => {
    const recording = await record(join(output.path(), 'whole'), 'server', 'redis-0', WORDS);
    try {
      const { exitCode } = await recording.run;
      expect(exitCode, recording.said).toBe(0);
      expect(brought(recording)).toBeUndefined();
      expect(calls(recording, 'exec', ' take ')).toBe(1);
      expect(calls(recording, 'exec', ' range ')).toBe(0);
      expect(calls(recording, 'cp')).toBe(0);
    } finally {
      await recording.close();
    }
  });

  it('may be broken, cut or silent: the file is here and verified, exit 0', async () => {
    await Promise.all(
      Object.entries(FAULTS).map(async ([name, fault]) => {
        const folder = join(output.path(), name.replaceAll(/\W+/g, '-'));
        const recording = await record(folder, 'server', 'redis-0', WORDS);
        try {
          recording.server.failFile(fault);
          const { exitCode } = await recording.run;
          expect(exitCode, `${name}:\n${recording.said}`).toBe(0);
          // What a connection still brings that is about to break is its own business.
          if (fault.becomes === 'broken' && fault.after > 0) expect(brought(recording)).toBeDefined();
          else expect(brought(recording), recording.said).toBe(formatBytes(fault.after));
          const files = finalFiles(folder);
          expect(files.filter(({ state }) => state === 'same')).toHaveLength(1);
          expect(files.filter(({ state }) => state === 'broken')).toEqual([]);
        } finally {
          await recording.close();
        }
      }),
    );
    expect(await eventually(debugPods, (pods) => pods.length === 0)).toEqual([]);
  });

  it('brings no file that was replaced after it was announced: exit 5, and both hashes', async () => {
    const folder = join(output.path(), 'replaced');
    const recording = await record(folder, 'server', 'redis-0', WORDS);
    try {
      let goOn = () => {};
      recording.server.mayAsk = new Promise((resolve) => {
        goOn = resolve;
      });
      const said = async () => recording.said;
      await eventually(said, (text) => /copying and verifying \d/.test(text), 60);
      const scratch = await recording.scratch();
      const path = join(scratch, 'capture.pcap.gz');
      expect(readFileSync(join(scratch, 'events.jsonl'), 'utf8')).toContain('"event":"artifact"');
      writeFileSync(path, Buffer.alloc(statSync(path).size, 'x'));
      goOn();
      const { exitCode } = await recording.run;
      expect(recording.said).toMatch(
        /^error: the capture is finished on the node, but could not be copied: SHA-256 is [0-9a-f]{64} here and [0-9a-f]{64} on the node$/m,
      );
      expect(exitCode).toBe(5);
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      await recording.close();
      await kubectl([
        'delete',
        'pod',
        '-n',
        'gkeprof',
        recording.pod ?? 'none',
        '--ignore-not-found',
        '--now',
      ]);
    }
  });

  /** The processes of a debug pod on the node: the shells that wait for a client, and those of the container that has them. */
  const shells = (uid: string) => processesOf(uid).filter(({ words }) => / take \S*\/gkeprof\//.test(words));
  const files = (uid: string) => processesOf(uid).filter(({ words }) => words.includes('gkeprof-files'));

  /** Does something to the client while the shell on the node waits for it. */
  async function whileItWaits(keep: string, act: (recording: Recording, goOn: () => void) => Promise<void>) {
    const recording = await record(join(output.path(), keep), 'server', 'redis-0', [
      ...WORDS,
      ...['--keep', keep],
    ]);
    try {
      let goOn = () => {};
      recording.server.mayAsk = new Promise((resolve) => {
        goOn = resolve;
      });
      const uid = await recording.uid();
      expect(
        await eventually(
          async () => shells(uid).length,
          (count) => count > 0,
          60,
        ),
        recording.said,
      ).toBe(1);
      await act(recording, goOn);
    } finally {
      recording.run.kill('SIGKILL');
      await recording.close();
      await kubectl([
        'delete',
        'pod',
        '-n',
        'gkeprof',
        recording.pod ?? 'none',
        '--ignore-not-found',
        '--now',
      ]);
    }
  }

  it('leaves nothing on the node where its client is killed: the shell ends before its container', async () => {
    await whileItWaits('90s', async (recording, goOn) => {
      const pod = await recording.uid();
      recording.run.kill('SIGKILL');
      goOn();
      expect(
        await eventually(
          async () => shells(pod).length,
          (count) => count === 0,
          60,
        ),
      ).toBe(0);
      expect(files(pod).length).toBeGreaterThan(0);
    });
  });

  it('does not keep the debug pod: where its client says nothing any more, the shell ends with its container', async () => {
    await whileItWaits('5s', async (recording) => {
      const pod = await recording.uid();
      recording.run.kill('SIGSTOP'); // kubectl goes on, and with it the connection.
      expect(
        await eventually(
          async () => processesOf(pod).filter(({ name }) => name !== 'pause').length,
          (count) => count === 0,
          120,
        ),
      ).toBe(0);
    });
  });
});
