import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runShell } from '../../node/shell.ts';

const SYMBOLS = [
  'ffffffff81000000 T _stext',
  'ffffffff81000000 T _text',
  'ffffffff81000110 t __pfx_run_init_process',
  'ffffffff81000120 t run_init_process',
  'ffffffff81000200 t __entry_SYSCALL_64_trampoline',
  'ffffffff82000000 T _etext',
  'ffffffff83000000 D _edata',
  'ffffffffc0000000 t _text\t[strange]',
  'ffffffffc0000010 t veth_xmit\t[veth]',
  'ffffffffc0000020 t bpf_prog_6deef7357e7b4530_sd_devices\t[bpf]',
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-kernel-'));
  writeFileSync(join(folder, 'kallsyms'), `${SYMBOLS.join('\n')}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The lines that a piece of the script prints, with the files of the kernel's symbols made of the symbols above. */
const printed = (script: string, before = ':') =>
  runShell(
    ['collectors/perf/perf.sh', 'collectors/perf/kernel.sh'],
    `WORK=$(mktemp -d); perf_hides=1; kernel_proc=$1; mods=' 16384 1 - Live 0x'; echo "veth$mods"1 >"$1/modules"
     ${before}; kernel_begin; [[ -z $kernel_pid ]] || wait "$kernel_pid"; ${script}; rm -r "$WORK"`,
    [folder],
  )
    .split('\n')
    .filter((line) => line !== '');

describe("the kernel's symbols for perf", () => {
  it('are without the padding of functions for perf script', () => {
    expect(printed('cat "$WORK/kernel.script"')).toEqual(SYMBOLS.filter((line) => !line.includes('__pfx_')));
  });

  it("are only the ends of the kernel's code, and where it was entered, for perf record", () => {
    expect(printed('cat "$WORK/kernel.record"')).toEqual([0, 1, 4, 5, 6].map((at) => SYMBOLS[at]));
  });

  it('are read again where modules were loaded or unloaded since the begin', () => {
    expect(printed('kernel_check; ls "$WORK"')).toEqual(['kernel.record', 'kernel.script']);
    const left = (modules: string) => printed(`echo ${modules} >"$1/modules"; kernel_check; ls "$WORK"`);
    expect(left('"veth$mods"2')).toEqual(['kernel.record']);
    expect(left('')).toEqual(['kernel.record']);
    // One that is only used more often is the same.
    expect(left('veth 16384 7 nat,x Live 0x1')).toEqual(['kernel.record', 'kernel.script']);
  });

  it.each([
    ['mounts are forbidden', 'perf_hides=0'],
    ['the kernel shows no symbols', 'kernel_proc=/nothing'],
    ['the disk is full', 'ln -s /dev/full "$WORK/few"'],
  ])('are left to perf where %s', (_what, before) => {
    expect(printed('ls "$WORK"/kernel.record "$WORK"/kernel.script 2>/dev/null', before)).toEqual([]);
  });
});

describe('a real perf with these files', () => {
  // `$1` is the subcommand whose file is there. The names of the copies of the vDSO that perf makes are never the same.
  const run = (script: string) =>
    runShell(
      ['collectors/perf/perf.sh', 'collectors/perf/kernel.sh'],
      `WORK=$(mktemp -d); OUT=$WORK; perf_memory_kb=unlimited; export HOME=$WORK; cd "$WORK"; kernel_begin; kernel_wait
       apart() { (perf_apart "$@") 2>>log; }
       text() { apart script -i p.data -F comm,tid,time,ip,sym,symoff,dso --show-mmap-events | sed 's/perf-vdso[^)]*/vdso/'; }
       ${script}; cd /; rm -r "$WORK"`,
    );

  it('records the same place of the kernel', () => {
    const place = run(
      `record() { apart record -q -a -e cpu-clock --no-bpf-event -o p.data -- true; text | grep -m1 -o 'PERF_RECORD_MMAP.*_s*text'; }
       record; test -s kernel.record && echo small; rm kernel.*; record`,
    )
      .trim()
      .split('\n');
    expect(place).toHaveLength(3);
    expect(place[1]).toBe('small');
    expect(place[0]).toMatch(/\[kernel\.kallsyms\]/);
    expect(place[0]).toBe(place[2]);
  });

  it('prints the same samples', () => {
    const counts = run(
      `apart record -q -g -e cpu-clock --no-bpf-event -F 999 -o p.data -- dd if=/dev/zero of=/dev/null bs=1 count=300000
       text >with; test -s kernel.script && echo small; rm kernel.*; text >without; cmp with without && grep -c 'kernel.kallsyms' with; cat log >&2`,
    )
      .trim()
      .split('\n');
    expect(counts[0]).toBe('small');
    expect(Number(counts[1])).toBeGreaterThan(50);
  });
});
