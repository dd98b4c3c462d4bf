import { describe, expect, it } from 'vitest';
import {
  CLASSES,
  cellName,
  cellsIn,
  FAULTS,
  type Outcome,
  outcomeProblems,
  outcomeText,
  STAGES,
  saidOf,
  shown,
  tableOf,
  WITHOUT,
} from './matrix.ts';

const done: Outcome = {
  fault: 'connections reset',
  stage: 'copy',
  status: 0,
  stderr: 'Results:\n',
  isVerified: true,
  broken: [],
  remains: [],
  isPodLeft: false,
};
const interrupted: Outcome = {
  ...done,
  status: 130,
  stderr: 'error: interrupted: nothing was kept\n',
  isVerified: false,
};
const kept: Outcome = {
  ...done,
  status: 5,
  stderr:
    'error: the capture is finished on the node, but could not be copied: no space left on device\nhint: this still gets the file: x\n',
  isVerified: false,
  command: 'got the file',
};

describe('the matrix of faults', () => {
  it('has each class of faults in each stage, or the reason why not', () => {
    for (const group of CLASSES)
      for (const stage of STAGES) {
        const has = FAULTS.some((fault) => fault.group === group && fault.stages[stage]);
        expect(has, `${group} at ${stage}`).toBe(WITHOUT[group][stage] === undefined);
      }
  });

  it('makes each fault somewhere, in npm test only where it is made at all, and names it once', () => {
    for (const { name, stages, quick = [] } of FAULTS) {
      expect(Object.keys(stages), name).not.toEqual([]);
      for (const stage of quick) expect(stages, name).toHaveProperty(stage);
      expect(FAULTS.filter((fault) => fault.name === name)).toHaveLength(1);
    }
    for (const group of CLASSES)
      expect(
        FAULTS.some((fault) => fault.group === group && fault.quick?.length),
        group,
      ).toBe(true);
  });
});

describe('the judgement of a cell', () => {
  it.each<[string, Outcome, readonly number[]]>([
    ['a whole recording', done, [0]],
    ['one that was interrupted', interrupted, [130]],
    ['a file that the printed command gets', kept, [5]],
    [
      'a file that is here and incomplete',
      { ...done, status: 5, stderr: 'warning: the target is gone' },
      [5],
    ],
    [
      'a tool that was killed',
      { ...done, status: 5, stderr: 'stopped after 1.0s: the tool ended by itself (status 137)' },
      [5],
    ],
    ['a client that was killed', { ...interrupted, status: 137, stderr: '' }, [137]],
  ])('finds nothing wrong with %s', (_what, outcome, allowed) => {
    expect(outcomeProblems(outcome, allowed)).toEqual([]);
  });

  it.each<[string, Outcome]>([
    ['status 3, and not 0 or 5', { ...kept, status: 3 }],
    ['status 0 without a verified file', { ...done, isVerified: false }],
    ['status 0 with an error', { ...done, stderr: 'error: x' }],
    ['a.pcap.gz is not whole', { ...done, broken: ['a.pcap.gz'] }],
    ['.gkeprof-1 stays for ever', { ...done, remains: ['.gkeprof-1'] }],
    ['its debug pod is left', { ...done, isPodLeft: true }],
    ['it calls itself a bug', { ...done, stderr: 'hint: this is a bug in kubectl gkeprof' }],
    ['it prints control characters', { ...done, stderr: 'node: \u001b[31m' }],
    ['2 errors, and not one', { ...kept, stderr: 'error: x\nerror: y' }],
    ['0 errors, and not one', { ...kept, stderr: '' }],
    ['it does not say what is missing', { ...done, status: 5 }],
    ['status 5 without a file, and its command failed', { ...kept, command: 'failed' }],
    ['status 130, but there is a file', { ...interrupted, isVerified: true }],
  ])('finds that %s', (problem, outcome) => {
    expect(outcomeProblems(outcome, [0, 5])).toContain(problem);
  });

  it('finds a status 5 without a file whose command is missing', () => {
    const { command: _, ...without } = kept;
    expect(outcomeProblems(without, [5])).toEqual(['status 5 without a file, and its command is missing']);
  });
});

describe('the table', () => {
  it('has the exit code, what there is to show for it, and what was said', () => {
    expect(outcomeText(done)).toBe('0, file');
    expect(outcomeText(interrupted)).toBe('130');
    expect(outcomeText(kept)).toBe('5, command');
    expect(saidOf(done)).toBeUndefined();
    const cells = new Map([
      [cellName('connections reset', 'copy'), shown(done)],
      [cellName('1 kB/s', 'copy'), shown(kept)],
    ]);
    const table = tableOf('connection', cells);
    expect(table).toContain('| connections reset |  |  |  |  |  |  | 0, file |  |  |');
    expect(table).toContain('| 1 kB/s |  |  |  |  |  |  | 5, command |  |  |');
    expect(table).toContain(
      '- 1 kB/s at copy: the capture is finished on the node, but could not be copied: no space left on device',
    );
    expect(cellsIn(table)).toEqual(cells);
  });

  it('says nothing that differs from run to run', () => {
    expect(
      saidOf({
        ...kept,
        stderr:
          'error: /tmp/a/node.pcap.gz: the debug pod gkeprof/gkeprof-tcpdump-0123456789-ab is gone; this deletes it now: kubectl --context x delete pod\n',
      }),
    ).toBe('FILE: the debug pod gkeprof/POD is gone; this deletes it now: kubectl …');
  });
});
