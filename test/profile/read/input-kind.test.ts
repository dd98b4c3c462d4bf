import { describe, expect, it } from 'vitest';
import { EXIT, GkeprofError } from '../../../src/errors.ts';
import { inputKindOf } from '../../../src/profile/read/input-kind.ts';
import { fc } from '../../properties.ts';
import { folded, read } from '../reading.ts';

const kind = (text: string | Uint8Array): string => inputKindOf(Buffer.from(text as string), true);

/** What is said of an input that is no profile. */
function refusal(text: string | Uint8Array): GkeprofError {
  try {
    inputKindOf(Buffer.from(text as string), true);
  } catch (error) {
    if (error instanceof GkeprofError) return error;
    throw error;
  }
  throw new Error('it is taken for a profile');
}

const STACKS = 'main;bar 4\nmain;foo 3\n';
const PERF = 'app 1/2 [000] 1.5: 1 cycles:\n\t1 f (/x)\n\n';

describe('folded stacks', () => {
  it.each([
    ['what bpftrace prints first', `Attaching 1 probe...\n\n${STACKS}`, 1],
    [
      'what bcc prints first',
      `Sampling at 49 Hertz of all threads by user stack... Hit Ctrl-C to end.\n^C\n${STACKS}`,
      2,
    ],
    ['a stack without a count', `main;foo\n${STACKS}`, 1],
    ['a count with an exponent', `main;foo 1e-10\n${STACKS}`, 1],
    [
      'a warning of a shell',
      `bash: warning: setlocale: LC_ALL: cannot change locale (C.UTF-8)\n${STACKS}`,
      1,
    ],
    ['a time that a log put there', `2026-11-29 10:00:00 sampled at 99 Hz\n${STACKS}`, 1],
    ['a line with a count that is no stack', `recorded 7 of 7 samples in 10\n${STACKS}`, 0],
  ])('are read behind %s, as flamegraph.pl does', async (_, text, odd) => {
    const { profile, warnings, from } = await read(text);
    expect(from).toBe('folded stacks');
    expect(folded(profile)).toContain('main;bar 4\nmain;foo 3\n');
    expect(warnings.reduce((sum, { count }) => sum + count, 0)).toBe(odd);
  });

  it.each([
    ['a blank behind the count', 'main;foo 3 \nmain;bar 4 \n'],
    ['a tab before the count', 'main;foo\t3\nmain;bar\t4\n'],
    ['blanks and tabs around it', 'main;foo \t 3\t \nmain;bar   4\r\n'],
    ['CRLF', 'main;foo 3\r\nmain;bar 4\r\n'],
    ['a byte order mark', `\ufeff${STACKS}`],
    ['blanks before the stacks', '  main;foo 3\n\tmain;bar 4\n'],
    ['blank lines and comments first', `\n\n# by somebody\n  \n${STACKS}`],
  ])('are read with %s', async (_, text) => {
    for (const cuts of [[], [1, 2, 3, 4, 9]])
      expect(folded((await read(text, {}, cuts)).profile)).toBe(STACKS);
  });

  it.each([
    ['a module of Python', '<module> (a.py:3);main (a.py:9) 3\n<module> (a.py:3);x 4\n'],
    ['a program of Ruby', '<main>;block in Foo#bar 3\n<main>;y 4\n'],
    ['a thread without a name', ';foo 3\n;foo;bar 4\n'],
  ])('are read where the first frame is %s', async (_, text) => {
    const { from, profile, warnings } = await read(text);
    expect({ from, warnings }).toEqual({ from: 'folded stacks', warnings: [] });
    expect(profile.samples).toBe(7);
  });

  it('are read where the counts have fractions', async () => {
    expect(folded((await read('main;foo 0.5\nmain;bar 2.25\n')).profile)).toBe(
      'main;bar 2.25\nmain;foo 0.5\n',
    );
  });

  it('are told by many lines from an event line that a function is called like', () => {
    expect(kind(`main;f [001] 1.5: x 3\n${STACKS}`)).toBe('folded stacks');
    expect(kind(`${'main;f 1\n'.repeat(3)}`)).toBe('folded stacks');
    expect(kind(`oops\n${PERF}`)).toBe('perf script');
  });

  it('may be one line that is longer than what is looked at', () => {
    const line = Buffer.from(`${'f;'.repeat(40_000)}g 1\n`);
    expect(inputKindOf(line.subarray(0, 1 << 16), false)).toBe('folded stacks');
  });

  it('say that no stack has a second frame, which a log has not either', async () => {
    expect((await read('main 3\nother 4\n')).isFlat).toBe(true);
    expect((await read('main 3\nmain;f 4\n')).isFlat).toBe(false);
    expect((await read('a.b.c 3 1234567890\na.b.d 4 1234567890\n')).isFlat).toBe(true);
    expect((await read('main 3 4\nmain;f 4 5\n')).isFlat).toBe(false);
  });
});

describe('UTF-16, as PowerShell writes it', () => {
  const wide = (text: string, big: boolean, mark: boolean): Buffer => {
    const bytes = Buffer.from((mark ? '\ufeff' : '') + text, 'utf16le');
    return big ? bytes.swap16() : bytes;
  };

  it.each([
    [false, true],
    [true, true],
    [false, false],
    [true, false],
  ])('is read: big-endian %s, with a mark %s', async (big, mark) => {
    // Without a mark it is told by its zeros.
    const stacks = mark ? 'main;größe 3\nmain;日本🔥 4\n' : 'main;bar 3\nmain;foo 4\n';
    for (const cuts of [[], [1, 2, 3, 5, 21, 22, 23, 41, 43]])
      expect(folded((await read(wide(stacks, big, mark), {}, cuts)).profile)).toBe(stacks);
    const raw = await read(wide(PERF.repeat(9000), big, mark), {}, [7, 70_001]);
    expect(raw.from).toBe('perf script');
    expect(raw.profile.samples).toBe(9000);
    expect(raw.warnings).toEqual([]);
  });
});

describe('what is no profile', () => {
  it.each([
    [
      'an access log',
      '10.0.0.1 - - [29/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12\n10.0.0.2 - - [29/Nov/2026:10:00:01 +0000] "GET /x;y HTTP/1.1" 200 99\n',
      'the access log of a web server',
    ],
    [
      'a log with ISO times',
      '2026-11-29T10:00:00Z INFO a;b took 12\n2026-11-29T10:00:01Z INFO c;d took 13\n',
      'a log',
    ],
    ['a syslog', 'Nov 29 10:00:00 host sshd[12]: port 22\nNov  9 10:00:00 host sshd[12]: port 22\n', 'a log'],
    [
      'klog',
      'I1129 10:00:00.000000       1 main.go:12] started 3\nE1129 10:00:00.000000       1 main.go:12] x\n',
      'a log',
    ],
    ['what the kernel logs', '[    0.000000] Linux version 6\n[    0.000001] Command line: a;b 3\n', 'a log'],
    ['Markdown', '# Title\n\nThere were 3 of them in chapter 12\nand 4 in 13\n', 'a text in Markdown'],
    ['prose', 'There were 3 of them in chapter 12\nand then there came 4 in 13\n', 'a plain text'],
    ['prose with a semicolon in each line', 'It was so; we had 3.\nIt was not; we had 4\n', 'a plain text'],
    ['CSV', 'name,count\nfoo,3\nbar,4\n', 'a table (CSV)'],
    ['CSV with semicolons', 'name;count\nfoo;3\nbar;4\n', 'a table (CSV), or stacks without a count'],
    ['stacks without counts', 'main;foo\nmain;foo;bar\n', 'or stacks without a count'],
    ['stacks with words behind their counts', 'main;foo 3 ms\nmain;bar 4 ms\n', 'stacks without a count'],
    ['a log with the time of day', 'INFO 12:00:01 conn;closed 3\nINFO 12:00:02 conn;open 4\n', 'a log'],
    ['a log that begins with it', '[12:00:01.5] a;b 3\n[12:00:02.5] a;c 4\n', 'a log'],
    ['a log of seconds since 1970', '1732881600.123 info x;y 3\n1732881601.123 info x;y 4\n', 'a log'],
    [
      'the log of a server',
      '1:M 29 Nov 2026 12:00:00.123 * x 9\n1:M 29 Nov 2026 12:00:00.124 # y 5\n',
      'a log',
    ],
    [
      'syslog with priorities',
      '<34>Nov 29 12:00:01 host su: x 3\n<34>Nov 29 12:00:02 host su: y 4\n',
      'a log',
    ],
    ['a list of requests', 'GET /x;jsessionid=12 200\nGET /y;jsessionid=13 200\n', 'a log'],
    ['a file of Callgrind', '# callgrind format\nevents: Ir\nfn=(1) main\n16 400\n', 'a file of Callgrind'],
    ['a web page', '<p>there are 3</p>\n', 'XML'],
    ['YAML', 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n', 'YAML'],
    ['HTML', '<!DOCTYPE html>\n<html><body>x 3</body></html>\n', 'an HTML page'],
    ['XML', '<?xml version="1.0"?>\n<project><a/></project>\n', 'XML'],
    ['JSON', '{"a": 3, "b": [1, 2]}\n', 'JSON'],
    ['a trace of Chrome', '{"traceEvents":[{"name":"x","ph":"X"}]}', 'a trace of Chrome'],
    ['a list of trace events', '[\n{"name":"x","ph":"X","ts":1}]', 'a trace of Chrome'],
    [
      'a CPU profile of Node.js',
      '{"nodes":[{"id":1,"callFrame":{"functionName":"(root)"}}],"samples":[1]}',
      'a CPU profile of Chrome or Node.js',
    ],
    [
      'what perf report prints',
      '# Overhead\n    50.00%  app  app  [.] f\n    50.00%  app  app  [.] g\n',
      'what perf report prints',
    ],
    [
      'stacks of bpftrace',
      'Attaching 1 probe...\n\n@[\n    f+1\n    main+2\n]: 3\n',
      'stacks as bpftrace prints them, not folded',
    ],
  ])('%s is named, and there are no samples (exit 4)', (_, text, what) => {
    const { message, code, hint } = refusal(text);
    expect(message).toMatch(/^no samples: this is /);
    expect(message).toContain(what);
    expect(code).toBe(EXIT.tool);
    expect(hint).toBeDefined();
  });

  it.each([
    ['PNG', '89504e470d0a1a0a0000000d49484452', 'a PNG image'],
    ['ELF', '7f454c4602010100', 'a program or library (ELF)'],
    ['PDF', Buffer.from('%PDF-1.7\n').toString('hex'), 'a PDF document'],
    ['pcap', 'd4c3b2a1020004000000000000000000', 'a packet capture'],
    ['pcapng', '0a0d0d0a1c0000004d3c2b1a01000000', 'a packet capture'],
    ['JFR', '464c5200000200010000000000000000', 'a JDK Flight Recorder recording'],
    ['perf.data', Buffer.from('PERFILE2').toString('hex'), 'perf.data'],
    ['something else', '00010203040506070800ffee00000000', 'a binary file of an unknown kind'],
  ])('%s is named by its first bytes (exit 1)', (_, hex, what) => {
    const { message, code } = refusal(Buffer.from(hex, 'hex'));
    expect(message).toContain(`this is ${what}`);
    expect(code).toBe(EXIT.failed);
  });

  it('a tar archive is named by what stands behind the name of its first file', () => {
    const tar = Buffer.alloc(1024);
    tar.write('main;foo 3\n');
    tar.write('ustar', 257);
    expect(refusal(tar).message).toContain('a tar archive');
  });

  it('nobody knows what other words are: the reader of perf script counts them', () => {
    expect(kind('nonsense\n')).toBe('perf script');
    expect(kind('')).toBe('perf script');
    expect(kind('\n# only a comment\n')).toBe('perf script');
  });
});

describe('two columns', () => {
  it('are a comparison where all lines have two counts', async () => {
    expect(kind('a;b 3 4\na;c 0 2\n')).toBe('two columns');
    expect(kind('a;b 3 4\na;c 2\n')).toBe('folded stacks');
    const { before, profile, warnings } = await read(
      'a;b 3 4\r\na;c 0\t2 \n# x\na 1 0\nodd\n',
      {},
      [1, 5, 9, 14],
    );
    expect(folded(before!)).toBe('a 1\na;b 3\n');
    expect(folded(profile)).toBe('a;b 4\na;c 2\n');
    expect(warnings).toEqual([{ kind: 'folded line', line: 'odd', count: 1 }]);
  });
});

describe('any bytes', () => {
  const words = fc.constantFrom(
    'main',
    ';',
    ' ',
    '\t',
    '3',
    '4.5',
    '\n',
    '\r\n',
    '[000]',
    '1.5:',
    '"',
    '{',
    '<svg',
    '#',
    ',',
    '\0',
    '\x0a\x04\x08\x01',
    '(',
    '@[',
    'größe',
  );

  it('are told, or refused in one line with what to give instead', async () => {
    const input = fc.oneof(
      fc.array(words, { maxLength: 60 }).map((all) => all.join('')),
      fc.uint8Array({ maxLength: 200 }),
    );
    await fc.assert(
      fc.asyncProperty(input, async (given) => {
        try {
          await read(given);
        } catch (error) {
          expect(error).toBeInstanceOf(GkeprofError);
          expect((error as GkeprofError).message).not.toContain('\n');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('that are stacks are read whatever stands first, if it is no stack and short', async () => {
    const preamble = fc.array(fc.stringMatching(/^[A-Za-z .:!-]{1,40}$/), { maxLength: 3 });
    const stack = fc.array(fc.stringMatching(/^[A-Za-z_][\w:<>.]{0,12}$/), { minLength: 2, maxLength: 6 });
    const stacks = fc.array(fc.tuple(stack, fc.integer({ min: 1, max: 1e6 })), {
      minLength: 2,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(preamble, stacks, async (first, rows) => {
        const text = rows.map(([path, count]) => `${path.join(';')} ${count}\n`).join('');
        const { from, profile } = await read(first.map((line) => `${line}\n`).join('') + text);
        expect(from).toBe('folded stacks');
        expect(profile.samples).toBe(rows.reduce((sum, [, count]) => sum + count, 0));
      }),
      { numRuns: 150 },
    );
  });
});
