import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '../../src/cli/command.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import { SECTIONS } from '../../src/packets/sections.ts';
import { analyzeFiles } from '../../src/workflow/analyze-packets.ts';
import { readProfileFile } from '../../src/workflow/read-profile.ts';
import { pcap, records, udp } from '../packets/packets.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-after-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Ctrl-C was pressed so often, while a recording ran or when there was none. */
function surroundings(signals: number, isRecording = true) {
  const interrupts = new Interrupts();
  const release = isRecording ? interrupts.hold() : () => {};
  for (let at = 0; at < signals; at += 1) interrupts.receive('SIGINT');
  release();
  const said = { stdout: '', stderr: '' };
  const context = {
    interrupts,
    env: {},
    stdin: (async function* () {})(),
    stdout: {
      write: (data: string) => {
        said.stdout += data;
      },
    },
    log: new Log({
      write: (data) => {
        said.stderr += data;
      },
    }),
  } as unknown as Context;
  return { context, said };
}

const FORMS = ['text', 'json', 'yaml', 'markdown'] as const;
const analyze = (signals: number, kind: (typeof FORMS)[number], isRecording = true) => {
  const path = join(folder, 'a.pcap');
  writeFileSync(path, pcap('raw', records(Array.from({ length: 500 }, (_, at) => udp({ sport: 1 + at })))));
  const { context, said } = surroundings(signals, isRecording);
  const options = {
    ...{ sections: new Set(SECTIONS), all: true, inner: false, rules: [], showKeys: false },
    ...{ sort: 'packets' as const, asksRedis: true, ifThere: 'refuse' as const },
    format: { kind },
  };
  return { said, done: analyzeFiles([path], options, new Map(), context) };
};

// The documented way to end a capture is Ctrl-C; what is made of it afterwards is not to stop at the same one.
describe('after Ctrl-C ended a recording', () => {
  it.each(FORMS)('its packets are read whole, and printed: %s', async (is) => {
    const { said, done } = analyze(1, is);
    expect(await done).toBe(0);
    expect(said.stderr).toBe('');
    expect(said.stdout).toBe(await whole(is));
    expect(said.stdout).toMatch(/500/);
  });

  it.each(FORMS)('a second one ends the reading of its packets: %s', async (is) => {
    const { said, done } = analyze(2, is);
    await expect(done).rejects.toMatchObject({ code: 130 });
    expect(said.stdout).toBe('');
  });

  const stacks = () => {
    const path = join(folder, 'a.folded');
    writeFileSync(path, 'a;b 3\na;c 4\n');
    return path;
  };
  const choice = () => ({}) as never;

  it('its stacks are read whole', async () => {
    const { context } = surroundings(1);
    const { profile } = await readProfileFile(stacks(), choice, context);
    expect(profile.samples).toBe(7);
  });

  it('a second one ends the reading of its stacks', async () => {
    const { context } = surroundings(2);
    await expect(readProfileFile(stacks(), choice, context)).rejects.toMatchObject({ code: 130 });
  });

  it.each(FORMS)('that came before anything was recorded, nothing is read: %s', async (is) => {
    const { done } = analyze(1, is, false);
    await expect(done).rejects.toMatchObject({ code: 130 });
  });

  async function whole(is: (typeof FORMS)[number]): Promise<string> {
    const { said, done } = analyze(0, is);
    await done;
    return said.stdout;
  }
});
