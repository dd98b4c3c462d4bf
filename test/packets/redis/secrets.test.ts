import { describe, expect, it } from 'vitest';
import { timelinePage } from '../../../src/packets/print/timeline-page.ts';
import { fc } from '../../properties.ts';
import { analyzed } from '../analysis.ts';
import { pcap } from '../packets.ts';
import { command, type Turn, talk } from './redis-stream.ts';

/** Everything that is ever printed of a conversation, and its report. */
function shown(turns: readonly Turn[], showKeys = false) {
  const { report, tables, analysis } = analyzed(pcap('ethernet', talk(turns)), {
    redis: { rules: [], showKeys },
  });
  const page = [...timelinePage(analysis, 'a page')].join('');
  return { redis: report.redis, text: JSON.stringify(report) + tables + page };
}

const SET: Turn[] = [
  ['>', command('SET', 'a', '1')],
  ['<', '+OK\r\n'],
];

const kinds = (line: string) => shown([['>', command('EVAL', 'x', '0')], ['<', line], ...SET]).redis.errors;

describe('a word that Redis does not know', () => {
  const typed = fc
    .oneof(
      fc.stringMatching(/^[A-Za-z0-9_.-]{8,40}$/),
      fc.string({
        minLength: 8,
        maxLength: 60,
        unit: fc.constantFrom(...'abzXY09 !@#$%^&*()_+"\'\\/<>[]{}|\x1b\r\n\x00'),
      }),
    )
    .map((word) => `pw-${word}-pw`);

  it('is never shown: not as a command, a subcommand, an error, nor an inline command', () => {
    fc.assert(
      fc.property(typed, fc.boolean(), (word, showKeys) => {
        const unknown = `-ERR unknown command '${word.replace(/[\r\n]/g, ' ')}'\r\n`;
        const { redis, text } = shown(
          [
            ...SET,
            ...[
              command(word),
              command(word, word),
              ...['CONFIG', 'CLIENT', 'ACL', 'OBJECT', 'XINFO', 'MEMORY', 'XGROUP', 'SCRIPT'].map((name) =>
                command(name, word, word, word),
              ),
              command('EVAL', word, word, word),
              command('FCALL', word, word, word),
              command('BLMPOP', '0', word, word),
            ].flatMap((each): Turn[] => [
              ['>', each],
              ['<', unknown],
            ]),
            ['>', command('EVALSHA', 'x', '0')],
            ['<', `-${word.replace(/[\r\n]/g, ' ')} is not there\r\n`],
            ['>', `${word.replace(/[\r\n]/g, ' ')}\r\n`],
            ['<', unknown],
          ],
          showKeys,
        );
        expect(text).not.toContain(word.slice(3, 11));
        const others = redis.commands.find((each: { command: string }) => each.command === '(others)');
        // The typed one is none of Redis's where its quotes do not close.
        expect([2, 3]).toContain(others.errors);
      }),
      { numRuns: 40 },
    );
  });

  it('is known where it is of Valkey, or of a module', () => {
    const names = [
      'JSON.GET',
      'ft.search',
      'TS.ADD',
      'BF.MADD',
      'cl.throttle',
      'VSIM',
      'DELIFEQ',
      'XACKDEL',
      'MSETEX',
    ];
    const { redis } = shown(
      names.flatMap((name): Turn[] => [
        ['>', command(name, '1', 'key:1', 'x')],
        ['<', '+OK\r\n'],
      ]),
    );
    expect(redis.commands.map((each: { command: string }) => each.command)).toEqual(
      names.map((name) => name.toUpperCase()),
    );
  });
});

describe('the kind of an error', () => {
  it.each([
    ['-WRONGTYPE Operation\r\n', 'WRONGTYPE'],
    ['-MYKIND hello\r\n', 'MYKIND'],
    ['-MY_KIND2\r\n', 'MY_KIND2'],
    ['!12\r\nMYKIND hello\r\n', 'MYKIND'],
    ['-user-SECRET@example.com not found\r\n', '(others)'],
    ['-SECRETpassword is wrong\r\n', '(others)'],
    ['-SECRET: is wrong\r\n', '(others)'],
    ['-SECRET\t42\r\n', '(others)'],
    [`-${'S'.repeat(33)} is wrong\r\n`, '(others)'],
    ['-A1B2C3D4E5F6 is wrong\r\n', '(others)'],
    ['-_SECRET x\r\n', '(others)'],
    ['- \r\n', '(others)'],
    ['-\r\n', '(others)'],
  ])('is shown where it has the form of one: %j', (line, kind) => {
    expect(kinds(line)).toEqual({ [kind]: 1 });
  });

  it('is not shown for ever more words that a script makes up', () => {
    const words = Array.from(
      { length: 50 },
      (_, at) => `SECRET${String.fromCharCode(65 + at / 26, 65 + (at % 26))}`,
    );
    const { redis } = shown(
      words.flatMap((word): Turn[] => [
        ['>', command('EVAL', 'x', '0')],
        ['<', `-${word} x\r\n-WRONGTYPE x\r\n`],
      ]),
    );
    expect(Object.keys(redis.errors).length).toBeLessThan(15);
  });

  it('shows where a redirect leads only if that is an address', () => {
    const { redis } = shown([
      ['>', command('GET', 'a') + command('GET', 'b') + command('GET', 'c')],
      ['<', '-MOVED 1 10.0.0.1:6379\r\n-MOVED 1 hunter2\r\n-ASK 1 [::1]:7\r\n'],
    ]);
    expect(redis.redirects.map(({ to }: { to: string }) => to)).toEqual(['10.0.0.1:6379', '?', '[::1]:7']);
  });
});
