import { describe, expect, it } from 'vitest';
import type { About, Profile } from '../../src/profile/profile.ts';
import { qualityOf } from '../../src/profile/quality.ts';
import { OFF_CPU } from '../../src/profile/weighing.ts';
import { read } from './reading.ts';

/** Samples by their frames, the innermost first, each of an object. */
const script = (comm: string, frames: readonly string[], times: number) =>
  `${comm} 7/7 [000] 1.500000: 1 cpu-clock:\n${frames.map((frame) => `\t1 ${frame}\n`).join('')}\n`.repeat(
    times,
  );

const quality = async (text: string, about: Partial<About> = {}, more: Partial<Profile> = {}) => {
  const { profile } = await read(text);
  return qualityOf({ ...profile, ...more, about: { target: 'x', ...about } });
};

describe('how many stacks reach the start of their thread', () => {
  it.each([
    [
      'a program by glibc',
      ['f (/app)', 'main (/app)', '__libc_start_main@@GLIBC_2.34 (/lib/libc.so.6)', '_start (/app)'],
    ],
    [
      'one whose glibc is stripped',
      ['f (/app)', 'run (/app)', '[unknown] (/usr/lib/x86_64-linux-gnu/libc.so.6)'],
    ],
    ['a frame pointer that ends at main', ['f (/app)', 'main (/app)']],
    [
      'Ruby by the eBPF unwinder, which leaves the callers of the interpreter out',
      ['Array#map ([ruby] <cfunc>)', 'Object#work ([ruby] /app/x.rb)', '<main> ([ruby] /app/x.rb)'],
    ],
    [
      'a thread',
      ['f (/app)', 'worker (/app)', 'start_thread (/lib/libc.so.6)', '__GI___clone3 (/lib/libc.so.6)'],
    ],
    ['a thread of C++', ['f (/app)', 'execute_native_thread_routine (/usr/lib/libstdc++.so.6.0.30)']],
    [
      'a goroutine',
      ['main.f (/app)', 'main.main (/app)', 'runtime.main (/app)', 'runtime.goexit.abi0 (/app)'],
    ],
    [
      'a thread of the kernel',
      ['memcpy ([kernel.kallsyms])', 'kthread ([kernel.kallsyms])', 'ret_from_fork_asm ([kernel.kallsyms])'],
    ],
    [
      'an idle processor',
      [
        'pv_native_safe_halt ([kernel.kallsyms])',
        'do_idle ([kernel.kallsyms])',
        'secondary_startup_64_no_verify ([kernel.kallsyms])',
      ],
    ],
  ])('%s', async (_what, frames) => {
    expect(await quality(script('app', frames, 40))).toMatchObject({ wholeStacks: 1, limits: [] });
  });

  it.each([
    ['one frame of the C library', ['memcpy (/lib/libc.so.6)', '[unknown] ([unknown])']],
    ['functions without a start', ['f (/app)', 'g (/app)', 'h (/app)', 'k (/app)']],
    ['the collector of Ruby', ['sweeping ([ruby] <gc>)', 'garbage collection ([ruby] <gc>)']],
    ['Ruby called by what has no start', ['Object#f ([ruby] /x.rb)', 'g (/app)', 'h (/app)']],
  ])('not: %s', async (_what, frames) => {
    const { wholeStacks, limits } = await quality(script('app', frames, 40));
    expect(wholeStacks).toBe(0);
    expect(limits.map(({ kind }) => kind)).toContain('cut-stacks');
  });

  it('is not told of folded stacks in which nothing is known to be a start', async () => {
    expect((await quality('ruby;Object#run;Array#each 40\n')).wholeStacks).toBeUndefined();
    expect((await quality('app;_start;main;f 30\napp;f 10\n')).wholeStacks).toBe(0.75);
  });

  it('blames no frame pointers where only a few stacks are cut, nor short stacks that are whole', async () => {
    const whole = script('app', ['f (/app)', 'main (/app)'], 90);
    expect((await quality(whole + script('app', ['g (/app)'], 10))).limits).toEqual([]);
    const pool = script('pool-1', ['spin (/app)', 'start_thread (/lib/libc.so.6)'], 100);
    expect((await quality(pool)).limits).toEqual([]);
  });

  it('says in which object most of them end', async () => {
    const { limits } = await quality(
      script('redis-server', ['dictFind (/usr/bin/redis-server)'], 70) +
        script('redis-server', ['f (/usr/bin/redis-server)', 'main (/usr/bin/redis-server)'], 30),
    );
    expect(limits).toHaveLength(1);
    expect(limits[0]).toMatchObject({ kind: 'cut-stacks', share: 0.7 });
    expect(limits[0]!.text).toMatch(
      /^70 % of the stacks end before .* all of them in redis-server: .*frame pointers/,
    );
  });

  it('knows by how the stacks were found why they end, and what finds more', async () => {
    const text =
      script('a', ['f (/bin/a)', 'g (/bin/a)'], 70) + script('a', ['f (/bin/a)', 'main (/bin/a)'], 30);
    const cut = async (about: Partial<About>, of = text) => (await quality(of, about)).limits[0];
    expect(await cut({})).toMatchObject({ callGraph: 'dwarf' });
    expect(await cut({ stacks: { way: 'fp' } })).toMatchObject({ callGraph: 'dwarf' });
    const dwarf = await cut({ stacks: { way: 'dwarf', bytes: 8192 } });
    expect(dwarf).toMatchObject({ callGraph: 'dwarf,65528', text: expect.stringContaining('DWARF, 8 KiB') });
    expect(dwarf!.text).not.toContain('frame pointers');
    for (const stacks of [{ way: 'dwarf', bytes: 65_528 }, { way: 'ebpf' }] as const) {
      const limit = await cut({ stacks });
      expect(limit).toMatchObject({ kind: 'cut-stacks' });
      expect(limit).not.toHaveProperty('callGraph');
    }
    // Code of a compiler at run time has no unwind tables.
    const made = script('java', ['f (/tmp/perf-7.map)', 'g (/tmp/perf-7.map)'], 70);
    expect(await cut({ stacks: { way: 'fp' } }, made)).not.toHaveProperty('callGraph');
  });

  it('says why the eBPF unwinder could not walk on', async () => {
    const ended = '[unknown] ([unwinding ended: code that is in no file])';
    const { limits } = await quality(script('a', ['f (/bin/a)', ended], 70), { stacks: { way: 'ebpf' } });
    expect(limits[0]!.text).toMatch(/all of them at code that is in no file: the unwinder could not walk/);
  });

  it('tells stacks that are as deep as the kernel records from those that are cut', async () => {
    const deep = Array.from({ length: 127 }, (_, at) => `f${at} (/app)`);
    const { limits } = await quality(script('app', deep, 40));
    expect(limits.map(({ kind }) => kind)).toEqual(['deep-stacks']);
  });

  it('says that there is no call graph where every stack has one function', async () => {
    const { wholeStacks, limits } = await quality(script('app', ['f (/app)'], 40));
    expect(wholeStacks).toBeUndefined();
    expect(limits.map(({ kind }) => kind)).toEqual(['no-call-chains']);
  });
});

describe('innermost functions without a name', () => {
  const rest = ['main (/usr/bin/app)'];
  it.each([
    ['a stripped program', ['[unknown] (/usr/bin/app2)', ...rest], '', 'stripped'],
    [
      'Node.js without a map',
      ['[unknown] (/tmp/perf-12.map)', 'node::Start (/usr/bin/node)', 'main (/usr/bin/node)'],
      '',
      '--perf-basic-prof',
    ],
    [
      'Java without a map',
      ['[unknown] ([anon])', 'JavaCalls::call (/jvm/libjvm.so)', 'start_thread (/lib/libc.so.6)'],
      '',
      'Compiler.perfmap',
    ],
    [
      'a JIT that has a map',
      ['[unknown] (/tmp/perf-12.map)', ...rest],
      script('app', ['LazyCompile (/tmp/perf-12.map)', ...rest], 10),
      'does not have this address',
    ],
    ['no file at all', ['[unknown] ([unknown])', ...rest], '', 'in no file'],
  ])('%s', async (_what, frames, more, hint) => {
    const { unnamedInnermost, limits } = await quality(
      script('app', frames, 93) + script('app', ['f (/x)', ...rest], 7) + more,
    );
    expect(unnamedInnermost).toBeCloseTo(93 / (more ? 110 : 100), 6);
    expect(limits).toHaveLength(1);
    expect(limits[0]!.kind).toBe('unnamed');
    expect(limits[0]!.text).toContain(hint);
  });

  it('says nothing of callers without a name: the share of frames misleads', async () => {
    const frames = ['f (/app)', '[unknown] (/app)', '[unknown] (/app)', 'main (/app)'];
    expect(await quality(script('app', frames, 40))).toEqual({
      unnamedInnermost: 0,
      wholeStacks: 1,
      limits: [],
    });
  });

  it('puts the maps of many processes together', async () => {
    const text = [1, 2, 3].map((pid) =>
      script('node', [`[unknown] (/tmp/perf-${pid}.map)`, 'main (/usr/bin/node)'], 20),
    );
    const { limits } = await quality(text.join(''));
    expect(limits).toHaveLength(1);
    expect(limits[0]).toMatchObject({ share: 1 });
  });
});

it('advises no other way to find callers for waits, which --off-cpu records by frame pointers only', async () => {
  const waits = { event: OFF_CPU, unit: 'microseconds' } as const;
  const loop = 'PyEval_EvalFrameDefault (/usr/bin/python3)';
  for (const [frames, kind] of [
    [['f (/bin/a)', 'g (/bin/a)'], 'cut-stacks'],
    [['[unknown] (/tmp/perf-7.map)', 'node::Start (/usr/bin/node)'], 'unnamed'],
    [[loop, 'main (/usr/bin/python3)'], 'interpreter'],
  ] as const) {
    const text = script('a', frames, 40);
    expect((await quality(text, { stacks: { way: 'fp' } })).limits[0]).toHaveProperty('callGraph');
    const [limit] = (await quality(text, { stacks: { way: 'fp' } }, waits)).limits;
    expect(limit).toMatchObject({ kind, text: expect.not.stringMatching(/--call-graph|samples/) });
    expect(limit).not.toHaveProperty('callGraph');
  }
});

describe('interpreters', () => {
  it('is silent about what the unwinder has named, and advises it where perf could not', async () => {
    const loop = 'PyEval_EvalFrameDefault (/usr/bin/python3)';
    const named = script('a', ['burn ([python] /app/a.py:2)', loop, 'main (/usr/bin/python3)'], 40);
    expect((await quality(named, { stacks: { way: 'ebpf' } })).limits).toEqual([]);
    const unnamed = script('a', [loop, 'main (/usr/bin/python3)'], 40);
    expect((await quality(unnamed, { stacks: { way: 'fp' } })).limits[0]).toMatchObject({
      callGraph: 'ebpf',
    });
    expect((await quality(unnamed)).limits[0]).not.toHaveProperty('callGraph');
  });

  it.each([
    ['Python', '_PyEval_EvalFrameDefault', 'py::work:/app/x.py'],
    ['Ruby', 'vm_exec_core', 'rb::work'],
    ['PHP', 'execute_ex', 'php::work'],
    ['Perl', 'Perl_runops_standard', 'perl::work'],
  ])('%s is named with what names its functions, unless they are', async (language, loop, named) => {
    const frames = ['dict_lookup (/x)', `${loop} (/x)`, 'main (/x)'];
    const { limits } = await quality(script('app', frames, 40));
    expect(limits).toHaveLength(1);
    expect(limits[0]!.text).toContain(`the interpreter of ${language}`);
    expect((await quality(script('app', frames, 40), { stacks: { way: 'fp' } })).limits[0]).toMatchObject({
      text: expect.stringContaining('record them with --call-graph ebpf'),
      callGraph: 'ebpf',
    });
    expect((await quality(script('app', [`${named} (/tmp/perf-7.map)`, ...frames], 40))).limits).toEqual([]);
  });
});
