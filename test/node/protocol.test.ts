import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asset } from '../../src/assets.ts';
import { COLLECTORS } from '../../src/collectors/index.ts';
import { captureCommand, captureScript, literal } from '../../src/collectors/script.ts';
import { parseEvent } from '../../src/node/events.ts';
import { fc } from '../properties.ts';
import { runShell } from './shell.ts';

describe('json_string', () => {
  it('quotes any bytes so that JSON.parse gives printable ASCII and escapes back', () => {
    const argument = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.includes('\0'));
    const texts = fc.sample(argument, 200);
    const script = 'for word in "$@"; do json_string "$word"; printf "%s\\n" "$quoted"; done';
    const lines = runShell(['node/protocol.sh'], script, texts).trimEnd().split('\n');
    expect(lines).toHaveLength(texts.length);
    lines.forEach((line, at) => {
      expect(line).toMatch(/^"[\x20-\x7e]*"$/);
      // Escapes are byte by byte, so decoding them as bytes gives the text again.
      expect(Buffer.from(JSON.parse(line), 'latin1').toString('utf8')).toBe(
        Buffer.from(texts[at]!).toString('utf8'),
      );
    });
  });
});

describe('emit', () => {
  it('writes the same numbered line to stdout and to events.jsonl, and the client reads it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-test-'));
    try {
      const text = asset('node/protocol.sh').replace('OUT=$scratch/out', `OUT=${folder}`);
      const script = `${text}\narg[nonce]=abc\nemit hello collector perf kernel '6.1 "x"'\nemit progress bytes: 12 packets: -1 odd: x1`;
      const printed = runShell([], script).trimEnd().split('\n');
      expect(readFileSync(join(folder, 'events.jsonl'), 'utf8').trimEnd().split('\n')).toEqual(printed);
      const events = printed.map((line) => JSON.parse(line));
      expect(parseEvent(printed[0]!, 'abc')).toMatchObject({ seq: 1, event: 'hello', kernel: '6.1 "x"' });
      expect(events[1]).toMatchObject({ seq: 2, event: 'progress', bytes: 12, packets: -1, odd: 'x1' });
      expect(Math.abs(events[0].t - Date.now())).toBeLessThan(60_000);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the events of several recorders', () => {
  // Longer ones do not exist: an event has a few numbers, and texts of at most 1000 characters.
  it('are whole lines in the common log, also if they are 4000 bytes long', () => {
    const script = `emit_all() { for ((at = 0; at < 150; at++)); do emit hello kernel "$long"; done; }
      OUT=$(mktemp -d); printf -v long '%3900s' ''; json_string() { quoted=\\"$1\\"; }
      for each in 1 2 3 4; do (arg[nonce]=$each; OUT+=/$each; mkdir "$OUT"; emit_all) & done; wait; rm -r "$OUT"`;
    const lines = runShell(['node/protocol.sh'], `declare -A arg=()\n${script}`).trimEnd().split('\n');
    expect(lines).toHaveLength(600);
    for (const each of ['1', '2', '3', '4']) {
      const own = lines.map((line) => JSON.parse(line)).filter(({ nonce }) => nonce === each);
      expect(own.map(({ seq }) => seq)).toEqual([...Array(150).keys()].map((at) => at + 1));
    }
  });
});

describe('the command of the debug pod', () => {
  /** What bash understands of a script: the bodies of its functions, in bash's own layout. */
  const understood = (script: string): string[] =>
    execFileSync('bash', ['-c', `all() {\n${script}\n}\ndeclare -f all`], { encoding: 'utf8' }).split('\n');
  /** Programs in other languages are strings for bash, in which comments and indentation stay. */
  const bare = (lines: readonly string[]): string[] =>
    lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));

  it.each(COLLECTORS.map((each) => [each.name, each] as const))(
    '%s: has no comments and no indentation, and bash understands the same in the same lines',
    (_, work) => {
      const [written, sent] = [captureScript([work], asset), captureScript([work])];
      expect(bare(understood(sent))).toEqual(bare(understood(written)));
      expect(sent).not.toMatch(/^[ \t]|^#/m);
      expect(sent.length).toBeLessThan(0.7 * written.length);
      expect(sent.split('\n').map((line) => line !== '')).toEqual(
        written.split('\n').map((line) => /^\s*[^\s#]/.test(line)),
      );
    },
  );

  it('doubles every dollar, because Kubernetes expands $(VAR) and collapses $$', () => {
    expect(literal('a $(X) $$ $y')).toBe('a $$(X) $$$$ $$y');
    for (const work of COLLECTORS) {
      const sent = captureCommand(work)[2]!;
      expect(sent.replaceAll('$$', '$')).toBe(captureScript([work]));
      expect(sent.replaceAll('$$', '')).not.toContain('$');
    }
  });

  // The kernel starts no program with a longer word: MAX_ARG_STRLEN of Linux include/uapi/linux/binfmts.h, 32 pages.
  it('fits into one argument of exec', () => {
    for (const work of COLLECTORS)
      for (const word of captureCommand(work)) expect(Buffer.byteLength(word)).toBeLessThan(32 * 4096);
  });
});
