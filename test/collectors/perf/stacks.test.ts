import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dwarfBytes } from '../../../src/plan/dwarf-size.ts';
import { WHYS } from '../../../src/profile/unwinding.ts';
import { runLife, runShell } from '../../node/shell.ts';

/** What `perf_choose_stacks` decides, as `way why argument-of-perf`, or `refused CODE`; `before` prepares the node. */
function chosen(stacks: string, before = '', scope = 'pod'): string {
  return runShell(
    ['collectors/perf/perf.sh', 'collectors/perf/stacks.sh'],
    `OUT=$(mktemp -d); trap 'rm -r "$OUT"' EXIT
     declare -A arg=([stacks]=${stacks} [stack_bytes]=16384 [scope]=${scope} [frequency]=99 [duration_ms]=60000 [max_bytes]=8589934592 [min_free_percent]=12)
     cgroup_root=$OUT watched_cgroup=pods/pod1; mkdir -p "$OUT/pods/pod1" "$OUT/bin"
     refuse() { echo "refused $1"; exit; }; free_space() { free_bytes=1000000000000 free_percent=50; }
     getconf() { echo 4; }
     WORK=$OUT SHARED=$OUT now=0; now_ms() { now=$((now + 50)); }; pause() { :; }
     unwinder() { printf '#!/bin/bash\\n%s\\n' "$1" >"$OUT/bin/gkeprof-unwinder"; chmod +x "$OUT/bin/gkeprof-unwinder"; PATH=$OUT/bin:$PATH; }
     ${before}
     perf_choose_stacks
     echo "$perf_stacks \${perf_stacks_why:-none} $perf_call_graph | \${began[*]}"`,
  ).trim();
}

const FITTING = 'way=dwarf why=no-frame-pointers';

describe('perf_choose_stacks', () => {
  it.each([
    ['fp', 'fp none fp | stacks fp'],
    ['dwarf', 'dwarf none dwarf,16384 | stacks dwarf'],
    ['ebpf', 'refused no-unwinder'],
    ['auto', 'fp no-unwinder fp | stacks fp stacks_why no-unwinder'],
  ])('without an unwinder in the image, %s: %s', (stacks, want) => expect(chosen(stacks)).toBe(want));

  it('takes eBPF if that was asked for and the image has it', () =>
    expect(chosen('ebpf', 'unwinder :')).toBe('ebpf none fp | stacks ebpf'));

  it.each([
    ['way=ebpf why=interpreter', 'ebpf interpreter fp'],
    ['way=ebpf why=libraries', 'ebpf libraries fp'],
    ['way=fp why=frame-pointers', 'fp frame-pointers fp'],
    [FITTING, 'dwarf no-frame-pointers dwarf,16384'],
    ['way=dwarf why=no-bpf', 'dwarf no-bpf dwarf,16384'],
    ['way=ebpf why=a-word-of-tomorrow', 'ebpf unwinder fp'],
    ['way=lbr why=jit', 'fp look-failed fp'],
    ['way=fp;id why=jit', 'fp look-failed fp'],
    ['', 'fp look-failed fp'],
  ])('believes an unwinder that says %j only what it can mean: %s', (said, want) => {
    expect(chosen('auto', `unwinder 'echo "${said}"; echo reasons'`)).toMatch(new RegExp(`^${want} \\|`));
  });

  it('lets it look at the cgroup of the target, or at the node', () => {
    const says = `unwinder '[[ $2 == --node ]] && echo "way=fp why=jit" || { [[ -d $2 && $2 == */pods/pod1 && $# == 2 ]] && echo "${FITTING}"; }'`;
    expect(chosen('auto', says)).toMatch(/^dwarf /);
    expect(chosen('auto', says, 'node')).toMatch(/^fp jit /);
  });

  it.each([
    ['of ten recorders', 'recorders=10', 2_600_000, 'fp no-memory'],
    ['of ten recorders', 'recorders=10', 2_700_000, 'ebpf interpreter'],
    ['of one recorder', 'recorders=1', 100_000, 'ebpf interpreter'],
  ])('starts no more unwinders than the node has memory for: %s, %s, %i KiB', (_, recorders, spare, want) => {
    const node = `${recorders}; perf_ebpf_kb=65536; perf_spare_kb() { echo ${spare}; }`;
    const ways = ['auto', 'ebpf'].map((way) =>
      chosen(way, `unwinder 'echo "way=ebpf why=interpreter"'; ${node}`),
    );
    expect(ways[0]).toMatch(new RegExp(`^${want} `));
    expect(ways[1]).toMatch(/^ebpf none /);
  });

  /** The recorders of one pod, of which this is the second, and the last words of the others. */
  const among = (says: string, others: string, more = '') =>
    chosen(
      'auto',
      `unwinder 'echo "${says}"'; recorders=3; perf_spare_kb() { echo 9999999; }; perf_ebpf_kb=65536
       SHARED=$OUT/work CTL=$OUT/ctl WORK=$OUT/work/2 OUT=$OUT/out/2; mkdir -p "$CTL" "$OUT" "$WORK" "$SHARED"/{1,3} "$OUT/../1" "$OUT/../3"
       emit() { echo "emit $*"; }
       ${others}
       ${more}`,
    );
  const says = (number: number, words: string) => `echo '${words}' >"$SHARED/${number}/wish"`;

  it.each([
    [
      'fp frame-pointers',
      'ebpf others fp',
      'ebpf interpreter fp,dwarf,ebpf',
      'fp frame-pointers fp,dwarf,ebpf',
    ],
    ['ebpf libraries', 'ebpf libraries fp', 'fp frame-pointers fp,ebpf', 'ebpf jit fp,ebpf'],
    ['fp frame-pointers', 'fp frame-pointers fp', 'ebpf jit fp,ebpf', 'dwarf no-bpf fp,dwarf'],
    ['fp frame-pointers', 'dwarf others dwarf,16384', 'dwarf no-bpf fp,dwarf', 'fp libraries fp,dwarf'],
    ['fp frame-pointers', 'fp frame-pointers fp', 'fp jit fp', 'fp jit fp,dwarf,ebpf'],
  ])(
    'takes the way that one of its neighbours needs if it is possible for all: %s gives %s',
    (own, want, one, other) => {
      const [way, why] = own.split(' ');
      expect(among(`way=${way} why=${why}`, `${says(1, one)}; ${says(3, other)}`)).toMatch(
        new RegExp(`^${want} \\|`),
      );
    },
  );

  it('does not wait for a neighbour that has ended, nor for ever for one that says nothing', () => {
    const ended = among('way=fp why=jit', `${says(1, 'ebpf jit fp,dwarf,ebpf')}; : >"$OUT/../3/done"`);
    expect(ended).toMatch(/^ebpf others /);
    const silent = among('way=fp why=jit', says(1, 'ebpf jit fp,dwarf,ebpf'));
    expect(silent).toMatch(/^ebpf others /);
  });

  it.each([
    ['ebpf', 'ebpf others fp'],
    ['dwarf', 'dwarf others dwarf,16384'],
    ['fp', 'fp frame-pointers fp'],
    ['own', 'fp frame-pointers fp'],
    ['lbr', 'fp frame-pointers fp'],
  ])('asks the client if there are other debug pods, which says %s: %s', (answer, want) => {
    const neighbours = `${says(1, 'fp frame-pointers fp,dwarf,ebpf')}; ${says(3, 'fp frame-pointers fp,dwarf,ebpf')}`;
    const asked = among('way=fp why=frame-pointers', neighbours, `arg[agree]=1; : >"$CTL/stacks-${answer}"`);
    expect(asked.split('\n')).toEqual([
      'emit looked wants fp why frame-pointers can fp,dwarf,ebpf',
      expect.stringMatching(new RegExp(`^${want} \\|`)),
    ]);
  });

  it('does not wait for an unwinder that a file of a container holds up', () =>
    expect(chosen('auto', 'unwinder "sleep 100"; timeout() { shift 3; command timeout 0.2 "$@"; }')).toMatch(
      /^fp look-failed /,
    ));

  it('says nothing that the client does not know', () => {
    const script = ['stacks', 'ebpf']
      .map((name) =>
        readFileSync(new URL(`../../../src/collectors/perf/${name}.sh`, import.meta.url), 'utf8'),
      )
      .join('');
    const words = [...script.matchAll(/perf_stacks_why=([a-z-]+)/g)].map(([, word]) => word!);
    const list = /perf_stacks_why =~ \^\(([a-z|-]+)\)\$/.exec(script)![1]!.split('|');
    expect([...new Set([...words, ...list])].sort()).toEqual([...WHYS].sort());
  });

  // 99 Hz on 4 CPUs for 60 s with 16 KiB each are 397 million bytes.
  const bytes = dwarfBytes({ frequencyHz: 99, stackBytes: 16_384, seconds: 60, cpus: 4 });
  it.each([
    ['as much as a recording may have', `arg[max_bytes]=${bytes}`, 'dwarf'],
    ['a byte more than that', `arg[max_bytes]=${bytes - 1}`, 'fp too-large'],
    [
      'enough of the disk for one recorder, but not for two',
      'free_space() { free_bytes=1000000000 free_percent=30; }; recorders=2',
      'fp too-large',
    ],
    [
      'more than the disk has to spare',
      'free_space() { free_bytes=1000000000 free_percent=15; }',
      'fp too-large',
    ],
    ['enough of the disk', 'free_space() { free_bytes=1000000000 free_percent=30; }', 'dwarf'],
    [
      'more than perf script may have time for',
      'getconf() { echo 64; }; arg[max_bytes]=99999999999999',
      'fp too-large',
    ],
    [
      'less because of a limit (cgroup v2)',
      `arg[max_bytes]=${bytes / 2}; echo '200000 100000' >"$OUT/pods/pod1/cpu.max"`,
      'dwarf',
    ],
    [
      'the CPUs of the node, because there is no limit',
      `arg[max_bytes]=${bytes / 2}; echo 'max 100000' >"$OUT/pods/pod1/cpu.max"`,
      'fp too-large',
    ],
    [
      'the CPUs of the node, because the limit is above them',
      `arg[max_bytes]=${bytes}; echo '900000 100000' >"$OUT/pods/pod1/cpu.max"`,
      'dwarf',
    ],
  ])('chooses DWARF by itself only if all copies fit: %s', (_, before, want) =>
    expect(chosen('auto', `unwinder 'echo "${FITTING}"'; ${before}`)).toMatch(new RegExp(`^${want} `)),
  );
});

/**
 * The time is in `step`: for which of the three functions only the stack tells. Their shares are 60, 30 and 10 %. By frame pointers
 * the caller of a leaf that sets up none is missing, so `spin` stands between.
 */
const PROGRAM = `
#include <stdlib.h>
volatile unsigned long sink;
__attribute__((noinline)) void step(unsigned long i) { for (unsigned long j = 0; j < 100; j++) sink += i; }
__attribute__((noinline)) void spin(unsigned long n) { for (unsigned long i = 0; i < n; i++) step(i); }
__attribute__((noinline)) void share_a(void) { spin(600); sink++; }
__attribute__((noinline)) void share_b(void) { spin(300); sink++; }
__attribute__((noinline)) void share_c(void) { spin(100); sink++; }
__attribute__((noinline)) void rounds(void) { while (sink) { share_a(); share_b(); share_c(); } sink++; }
int main(void) { sink = 1; rounds(); return sink == 0; }
`;
const SHARES = { share_a: 0.6, share_b: 0.3, share_c: 0.1 } as const;

describe('programs of known shares, by a real perf', () => {
  let folder: string;
  let children: ChildProcess[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gkeprof-stacks-'));
    children = [];
  });
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  function start(name: string, ...flags: string[]): void {
    writeFileSync(join(folder, 'program.c'), PROGRAM);
    const path = join(folder, name);
    execFileSync('gcc', ['-O2', ...flags, '-o', path, join(folder, 'program.c')]);
    children.push(spawn(path, { stdio: 'ignore' }));
  }

  /** A program with frame pointers, of which the inner functions are in a library that is built without or with them. */
  function startWithLibrary(name: string, libraryFlag: string): void {
    const border = PROGRAM.indexOf('__attribute__((noinline)) void share_a');
    const declared = 'extern volatile unsigned long sink; void spin(unsigned long n);\n';
    writeFileSync(join(folder, 'inner.c'), PROGRAM.slice(0, border));
    writeFileSync(join(folder, 'outer.c'), declared + PROGRAM.slice(border));
    const library = join(folder, `lib${name}.so`);
    execFileSync('gcc', ['-O2', '-shared', '-fPIC', libraryFlag, '-o', library, join(folder, 'inner.c')]);
    const path = join(folder, name);
    execFileSync('gcc', ['-O2', '-fno-omit-frame-pointer', '-o', path, join(folder, 'outer.c'), library]);
    children.push(spawn(path, { stdio: 'ignore' }));
  }

  /**
   * Records the programs, and returns the samples of one with the shares of the three functions among them. perf samples only
   * these processes: unwinding all that runs on a busy machine takes minutes.
   */
  function record(stacks: 'fp' | 'dwarf') {
    const at = mkdtempSync(join(folder, 'life-'));
    const pids = children.map(({ pid }) => pid).join();
    const before = `perf_apart() { local word words=(); for word; do [[ $word == -a ]] && words+=(--sample-cpu -p ${pids}) || words+=("$word"); done; exec perf "\${words[@]}"; }`;
    const life = runLife(
      at,
      [
        ...['collector=perf', 'scope=node', 'duration_ms=4000', 'max_bytes=4000000000', 'min_free_percent=0'],
        ...['install=0', 'host_network=1', 'frequency=499', `stacks=${stacks}`, 'stack_bytes=8192'],
      ],
      before,
    );
    expect(life.rest).toBe('');
    expect(life.events).toContainEqual(expect.objectContaining({ event: 'capturing', stacks }));
    expect(life.events.at(-1)).toMatchObject({ event: 'end', reason: 'time' });
    expect(life.events.at(-1)).not.toHaveProperty('cut');
    const text = gunzipSync(readFileSync(join(life.out, 'perf-script.txt.gz'))).toString('utf8');
    return (comm: string) => {
      const samples = text.split('\n\n').filter((sample) => sample.trimStart().startsWith(`${comm} `));
      const share = (name: string) =>
        samples.filter((sample) => new RegExp(`\\s${name}\\+0x`).test(sample)).length / samples.length;
      return { samples: samples.length, shares: Object.keys(SHARES).map(share), whole: share('main') };
    };
  }

  const isTruth = ({ samples, shares, whole }: { samples: number; shares: number[]; whole: number }) => {
    expect(samples).toBeGreaterThan(100);
    expect(whole).toBeGreaterThan(0.95);
    // Five standard errors, and the three points that are promised for a thousand samples.
    for (const [at, want] of Object.values(SHARES).entries())
      expect(Math.abs(shares[at]! - want)).toBeLessThan(0.03 + 5 * Math.sqrt((want * (1 - want)) / samples));
  };

  it('are right by DWARF, whether the code has frame pointers or not; by frame pointers only if it has', () => {
    start('with_fp', '-fno-omit-frame-pointer');
    start('without_fp', '-fomit-frame-pointer');
    const [fp, dwarf] = [record('fp'), record('dwarf')];
    isTruth(fp('with_fp'));
    isTruth(dwarf('with_fp'));
    isTruth(dwarf('without_fp'));
    const broken = fp('without_fp');
    expect(broken.samples).toBeGreaterThan(100);
    expect(broken.shares.reduce((sum, each) => sum + each)).toBeLessThan(0.2);
  });

  it('are wrong by frame pointers if a library has none, although the program has', () => {
    startWithLibrary('library_with', '-fno-omit-frame-pointer');
    startWithLibrary('library_without', '-fomit-frame-pointer');
    const fp = record('fp');
    isTruth(fp('library_with'));
    const broken = fp('library_without');
    expect(broken.samples).toBeGreaterThan(100);
    expect(broken.shares.reduce((sum, each) => sum + each)).toBeLessThan(0.2);
  });
});
