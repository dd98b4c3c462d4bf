import { describe, expect, it } from 'vitest';
import type { GkeprofError } from '../../../src/errors.ts';
import { fold, read } from '../reading.ts';

const FRAMES = '\t          401149 qs+0x9 (/usr/bin/sort)\n\t          401300 main+0x10 (/usr/bin/sort)\n';
const IP = '           401149 qs+0x9 (/usr/bin/sort)';
const STACK = 'sort;main;qs 3\n';
const LEAF = 'sort;qs 3\n';
const START = 'sort 24327 [002] 63289.343561:          1 cpu/mem-loads,ldlat=30/P: ';
const ADDRESS = '    7f6e2f6ab010';
const SOURCE = '         5080021 |OP LOAD|LVL L1 hit|SNP None|TLB L1 or L2 hit|LCK No|BLK  N/A';
const WEIGHTS = '               7               7';
const REGISTERS = ' ABI:2    AX:0x12    BX:0x7fa1c6883740    IP:0x7fa1c6c283aa ';

const three = (sample: string): string => sample.repeat(3);

// What this machine's perf cannot record, as the print functions of Linux tools/perf/builtin-script.c have it.
describe('columns of perf script', () => {
  it.each([
    ['addr', ADDRESS],
    ['addr with a symbol of its own', `${ADDRESS} table+0x10 (/usr/bin/sort)`],
    ['data_src of perf mem', `${ADDRESS}${SOURCE}${WEIGHTS}`],
    ['data_src without addr', SOURCE],
    ['flags', '  call                   '],
    ['nothing', ''],
  ])('beside the event are no frames, below it or beside: %s', async (_, columns) => {
    expect(await fold(three(`${START}${columns}\n${FRAMES}\n`))).toBe(STACK);
    expect(await fold(three(`            ${START}${columns}${IP}\n`))).toBe(LEAF);
  });

  it('beside the event is the cgroup, and of a sample in one line nothing is lost', async () => {
    const columns = ' /system.slice/ssh.service';
    expect(await fold(three(`${START}${columns}\n${FRAMES}\n`))).toBe(`ssh.service;${STACK}`);
    expect(await fold(three(`            ${START}${columns}${IP}\n`))).toBe(`ssh.service;${LEAF}`);
  });

  it.each([
    ['phys_addr', '        12ab3000'],
    ['phys_addr of data that has none', '               0'],
    ['sizes of pages', ' 2M 4K'],
    ['sizes that are not known', ' N/A N/A'],
    ['iregs', REGISTERS],
    ['iregs, uregs, phys_addr and sizes', `${REGISTERS}${REGISTERS}        12ab3000 4K 4K`],
    ['insnlen and insn', ' ilen: 3 insn: 48 89 c7'],
    ['brstack', ' 0x401136/0x4010f0/P/-/-/0/CALL/-  0x4010e0/0x401130/M/-/-/12//- '],
    ['brstack with objects', ' 0x401136(/usr/bin/sort)/0x4010f0(/usr/bin/sort)/P/-/-/0 '],
    ['brstacksym', 'main+0x5/qs+0x0/P/-/-/0/CALL/- qs+0x9/main+0xa/-/-/-/3//- '],
    ['ipc', ' \t IPC: 1.23 (123/100) '],
  ])('below the frames, and behind one beside the event, are no frames: %s', async (_, columns) => {
    // No blank line ends such a sample: the next one's event line does.
    expect(await fold(three(`${START}\n${FRAMES}${columns}\n`))).toBe(STACK);
    const beside = columns.startsWith('main')
      ? columns.replaceAll(/(\w+\+0x\w+)/g, '$1(/usr/bin/sort)')
      : columns;
    expect(await fold(three(`${START}${IP}${beside}\n`))).toBe(LEAF);
  });

  it.each([
    [
      'brstackinsn',
      '\n\tmain+4:\n\t0000000000401136\tinsn: e8 b5 ff ff ff \t# PRED 3 cycles [3] 1.33 IPC\n\tqs+0:\n\t0000000000401144\tinsn: 48 89 e5\n\tmismatch of LBR data and executable\n',
    ],
    [
      'brstackinsn of functions whose names are hex',
      '\n\tadd(int)+3:\n\t0000000000401136\tmov %rsp, %rbp\n\t... not reaching sample ...\n',
    ],
    [
      'bpf-output',
      '\n      BPF output: 0000: 66 6f 6f 3a 20 31 3a 00  foo: 1:.\n                  0008: 62 61 72 00 00 00 00 00  bar.....\n      BPF string: "foo: 1:"\n',
    ],
    ['srccode', '\n|12       case 3 default:\n'],
    ['metric', '\nsort 24327 [002] 63289.343561: \tmetric:      1.33  insn per cycle       \n'],
    ['srcline and what is behind it', '  sort.c:12 ABI:2    AX:0x12 \n\n'],
    ['srcline that is not known', '  :0\n\n'],
  ])('on lines of their own are no frames and no samples: %s', async (_, lines) => {
    const { warnings } = await read(three(`${START}\n${FRAMES}${lines}`));
    expect(warnings).toEqual([]);
    expect(await fold(three(`${START}\n${FRAMES}${lines}`))).toBe(STACK);
  });

  it.each([
    ['misc behind the processor', 'sort 24327 [002] U     63289.343561:          1 cycles: '],
    ['misc of a guest', 'sort 24327 [002] g     63289.343561:          1 cycles: '],
    ['misc without processor', 'sort 24327 K     63289.343561:          1 cycles: '],
    ['misc without processor and time', 'sort 24327 K              1 cycles: '],
    ['the time of day', 'sort 24327 [002] 2026-11-29 11:42:42.317103 63289.343561:          1 cycles: '],
    ['the time of day alone', 'sort 24327 2026-11-29 11:42:42.317103          1 cycles: '],
    ['the guest and its processor', 'VM: 1234 VCPU:003 sort 24327 [002] 63289.343561:          1 cycles: '],
    ['neither event nor period', 'sort 24327 [002] 63289.343561: '],
    ['period without event', 'sort 24327 [002] 63289.343561:          1 '],
    ['period and address without event', 'sort 24327 [002] 63289.343561:          1     7f6e2f6ab010'],
    ['no tid', 'sort [002] 63289.343561:          1 cycles: '],
    ['no tid and no processor', 'sort 63289.343561:          1 cycles: '],
    ['no tid, no processor, no time', 'sort          1 cycles: '],
    ['a period, but neither event, time nor processor', 'sort 24327          1 '],
  ])('before the event are part of no name: %s', async (_, line) => {
    expect(await fold(three(`${line}\n${FRAMES}\n`), { weight: 'samples' })).toBe(STACK);
  });

  it('a number that ends a name is none of its thread where threads are not numbered', async () => {
    const text = ['worker 1', 'worker 2', 'main'].map(
      (name) => `${name} [002] 63289.343561:          1 cycles: \n${FRAMES}\n`,
    );
    expect(await fold(text.join(''))).toBe(
      'main;main;qs 1\nworker 1;main;qs 1\nworker 2;main;qs 1\n'.replaceAll(/(worker) (\d)/g, '$1_$2'),
    );
  });

  it('a thread with an empty name is one of a recording that has names', async () => {
    expect(await fold(`  24327 [002] 63289.343561:          1 cycles: \n${FRAMES}\n`)).toBe(
      ':24327;main;qs 1\n',
    );
  });

  it('branches of Intel PT are of where they come from', async () => {
    const line = `sort 24327 [002] 63289.343561:          1  branches:uH:   call                    ${IP} =>           401300 main+0x10 (/usr/bin/sort)\n`;
    expect(await fold(three(line))).toBe(LEAF);
  });
});

describe('a text without what is needed is refused with the reason', () => {
  const cycles = 'sort 24327 [002] 63289.343561:          1 cycles: ';
  it.each([
    ['names of threads', `24327 [002] 63289.343561:          1 cycles: \n${FRAMES}\n`, 'comm'],
    ['stacks', `${cycles}\n\n`, 'no sample has a stack'],
    ['symbols', `${cycles}\n\t          401149\n\t          401300\n\n`, 'sym'],
    ['symbols, but with objects', `${cycles}\n\t          401149 (/usr/bin/sort)\n\n`, 'sym'],
    ['most of its event lines', `${cycles}\n${FRAMES}\nwhat is this\n\n`, 'not understood'],
    ['most of its frames', `${cycles}\n${FRAMES}\tno frame\n\n`, 'not understood'],
    [
      'anything but a dump',
      `0x108@perf.data [0x50]: event: 69\n.\n. ... raw event: size 80 bytes\n\n${cycles}\n${FRAMES}\n`,
      'perf script -D',
    ],
  ])('%s', async (_, sample, reason) => {
    const error: GkeprofError = await read(three(sample)).then(
      () => expect.unreachable(),
      (thrown) => thrown,
    );
    expect(error.message).toContain(reason);
    expect(error).toMatchObject({ code: 4, hint: expect.stringContaining('perf script') });
  });

  it('is read where a tenth or less is not understood', async () => {
    const text = `${`${cycles}\n${FRAMES}\n`.repeat(18)}what is this\nand this\n`;
    expect((await read(text)).warnings).toEqual([{ kind: 'event line', line: 'what is this', count: 2 }]);
    await expect(read(`${text}and that\n`)).rejects.toThrow('3 event lines are not understood, of 21');
  });
});
