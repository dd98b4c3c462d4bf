import { describe, expect, it } from 'vitest';
import { FoldedReader, parseFolded } from '../../../src/profile/read/folded-reader.ts';
import { fc } from '../../properties.ts';
import { fold, folded, read } from '../reading.ts';

const sample = (event: string, frames: readonly string[], comm = 'app') =>
  [`${comm} 7/8 [000] 1.5: ${event}:`, ...frames.map((frame) => `\t1 ${frame}`), '', ''].join('\n');

describe('folded output', () => {
  it('is sorted by bytes: a line that ends comes before those that go on, and `.` before `;`', async () => {
    const text = ['foo', 'foo.part.0;x', 'foo;y', 'foo-1', 'foo;a', 'fooA', '\u{10000}', '\uffee']
      .map((stack) =>
        sample(
          '1 cycles',
          stack
            .split(';')
            .reverse()
            .map((name) => `${name} (/x)`),
        ),
      )
      .join('');
    expect((await fold(text)).split('\n')).toEqual([
      'app;foo 1',
      'app;foo-1 1',
      'app;foo.part.0;x 1',
      'app;foo;a 1',
      'app;foo;y 1',
      'app;fooA 1',
      'app;\uffee 1',
      'app;\u{10000} 1',
      '',
    ]);
  });

  it('weighs by period, and says what a weight is', async () => {
    const text = sample('250 cycles', ['f (/x)']) + sample('50 cycles', ['f (/x)']);
    expect(await fold(text, { weight: 'samples' })).toBe('app;f 2\n');
    expect(await fold(text, { weight: 'period' })).toBe('app;f 300\n');
    expect((await read(text, { weight: 'samples' })).profile.unit).toBe('samples');
    expect((await read(text, { weight: 'period' })).profile.unit).toBe('events');
    const clock = await read(text.replaceAll('cycles', 'cpu-clock:ppp'), { weight: 'period' });
    expect(clock.profile).toMatchObject({ unit: 'nanoseconds', event: 'cpu-clock:ppp' });
  });

  it('refuses to weigh by period where some samples have none, and counts where all have none', async () => {
    const without = sample('cycles', ['f (/x)']);
    await expect(read(without + sample('300 cycles', ['f (/x)']), { weight: 'period' })).rejects.toThrow(
      '1 of 2 samples have no period',
    );
    expect(await fold(without + without, { weight: 'period' })).toBe('app;f 2\n');
  });

  it('never mixes events: the first one, or the one asked for', async () => {
    const text =
      sample('1 cycles:u', ['f (/x)']) + sample('1 cycles:k', ['g (/x)']) + sample('1 faults', ['h (/x)']);
    expect(await fold(text)).toBe('app;f 1\n');
    expect(await fold(text, { event: 'cycles:k' })).toBe('app;g 1\n');
    expect([...(await read(text)).events]).toEqual([
      ['cycles:u', 1],
      ['cycles:k', 1],
      ['faults', 1],
    ]);
    await expect(read(text, { event: 'cycles' })).rejects.toMatchObject({
      code: 2,
      message: '--event: no sample of cycles',
      hint: 'the input has cycles:u, cycles:k, faults',
    });
  });

  it('says what a frame is only when asked, and puts together what is then written alike', async () => {
    const text =
      sample('1 cycles', [
        'sync ([kernel.kallsyms])',
        'Lo/A;::a->Lo/B;::b (/tmp/perf-7.map)',
        '[unknown] ([heap])',
        'i (inlined)',
        'main (/x)',
      ]) +
      sample('1 cycles', [
        'sync (/x)',
        'Lo/A;::a->Lo/B;::b (/tmp/perf-7.map)',
        '[unknown] ([heap])',
        'i (inlined)',
        'main (/x)',
      ]);
    expect(await fold(text)).toBe('app;main;i;[[heap]];o/A:::a;o/B:::b;sync 2\n');
    expect(await fold(text, {}, true)).toBe(
      'app;main;i_[i];[[heap]];o/A:::a_[j];o/B:::b_[i];sync 1\napp;main;i_[i];[[heap]];o/A:::a_[j];o/B:::b_[i];sync_[k] 1\n',
    );
  });

  it('writes blanks and semicolons of a thread’s name so that the line stays one stack', async () => {
    expect(await fold(sample('1 cycles', ['f (/x)'], 'a;b  c'))).toBe('a:b__c;f 1\n');
    const both = sample('1 cycles', ['f (/x)'], 'a b') + sample('1 cycles', ['f (/x)'], 'a_b');
    expect(await fold(both)).toBe('a_b;f 2\n');
  });

  it('reads what it writes', async () => {
    const text = 'a;b;c_[k] 3\na;b;d.part.0;e_[j] 12\na;b;d;f_[i] 4\nlonger name;x y z 1\n';
    expect(folded(parseFolded(text, { target: 'x' }), true)).toBe(text);
  });

  it('keeps a frame whose name ends in a number, and fractions of a count', () => {
    const profile = parseFolded('a;b 12 200\na;c 0.5\n', { target: 'x' });
    expect(folded(profile)).toBe('a;b 12 200\na;c 0.5\n');
  });

  it('counts lines that are none, the first is shown', async () => {
    const { warnings, from } = await read('a;b 3\nnonsense\nmore of it\n');
    expect(from).toBe('folded stacks');
    expect(warnings).toEqual([{ kind: 'folded line', line: 'nonsense', count: 2 }]);
  });

  it.each(['a;b 1e999', 'a;b 0x10', 'a;b 1.2.3', 'a;b -3', 'a;b', '12', ' 12', 'a;b Infinity'])(
    '%j is none of them',
    async (line) => {
      const { profile, warnings } = await read(`a;b 3\n${line}\n`);
      expect(profile.samples).toBe(3);
      expect(warnings).toEqual([{ kind: 'folded line', line, count: 1 }]);
    },
  );

  it('reads folded stacks however they are cut', async () => {
    const text = 'a;größe;c 3\r\na;größe;c;d 4\r\na;g 5\r\nb 1';
    const whole = await fold(text);
    expect(whole).toBe('a;g 5\na;größe;c 3\na;größe;c;d 4\nb 1\n');
    for (let cut = 0; cut < Buffer.byteLength(text); cut += 1)
      expect(folded((await read(text, {}, [cut, cut + 3])).profile)).toBe(whole);
  });

  it('sums alike lines of any folded text, and sorts them by their bytes', () => {
    // Characters around `;`, and names that begin as others do.
    const name = fc.string({
      unit: fc.constantFrom('a', 'b', '.', '!', ':', '<', 'é'),
      minLength: 1,
      maxLength: 9,
    });
    const line = fc.tuple(fc.array(name, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 1000 }));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 40 }), fc.nat(3000), (lines, cut) => {
        const sums = new Map<string, number>();
        for (const [frames, count] of lines) {
          const stack = frames.join(';');
          sums.set(stack, (sums.get(stack) ?? 0) + count);
        }
        const bytes = Buffer.from(lines.map(([frames, count]) => `${frames.join(';')} ${count}\n`).join(''));
        const reader = new FoldedReader();
        reader.push(bytes.subarray(0, cut));
        reader.push(bytes.subarray(cut));
        reader.end();
        const sorted = [...sums].map(([stack, count]) => ({ stack: Buffer.from(stack), count }));
        sorted.sort((a, b) => Buffer.compare(a.stack, b.stack));
        expect(folded(reader.profile({ target: 'x' }))).toBe(
          sorted.map(({ stack, count }) => `${stack} ${count}\n`).join(''),
        );
      }),
    );
  });
});
