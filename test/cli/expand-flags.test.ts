import { describe, expect, it } from 'vitest';
import { separated } from '../../src/cli/expand-flags.ts';
import type { OptionTable } from '../../src/cli/option-spec.ts';
import { VERBOSE } from '../../src/cli/options.ts';

const OPTIONS: OptionTable = {
  ...VERBOSE,
  output: { type: 'string', alias: 'o', describe: '', group: '' },
  watch: { type: 'boolean', alias: 'w', describe: '', group: '' },
  filter: { type: 'string', describe: '', group: '' },
};

describe('separated', () => {
  it.each([
    ['pod/x -v', 'pod/x --verbose=1'],
    ['-v pod/x', '--verbose=1 pod/x'],
    ['-vv', '--verbose=1 --verbose=2'],
    ['-v -v --verbose', '--verbose=1 --verbose=2 --verbose=3'],
    ['-v=6', '--verbose=6'],
    ['-v6', '--verbose=6'],
    ['--v=2', '--v=2'],
    ['--v', '--verbose=1'],
    ['-v 2', '-v 2'],
    ['x -wv 2 y', 'x --watch -v 2 y'],
    ['-vv 3', '--verbose=1 -v 3'],
    ['--v 2 y', '--verbose=2 y'],
    ['--verbose 10', '--verbose=10'],
    ['-v 11', '--verbose=1 11'],
    ['-v 2.pcap', '--verbose=1 2.pcap'],
    ['-v ./2', '--verbose=1 ./2'],
    ['-v -2', '--verbose=1 -2'],
    ['-w 2', '--watch 2'],
    ['--verbose=2', '--verbose=2'],
    ['-ojson', '--output=json'],
    ['-o=json', '--output=json'],
    ['-o json', '-o json'],
    ['-wojson', '--watch --output=json'],
    ['-wv', '--watch --verbose=1'],
    ['-wo json -v', '--watch -o json --verbose=1'],
    ['-o -v', '-o -v'],
    ['--filter -v', '--filter -v'],
    ['--filter=-v', '--filter=-v'],
    ['-x -wx', '-x -wx'],
    ['- a-b --unknown', '- a-b --unknown'],
  ])('%s → %s', (typed, expected) => {
    expect(separated(typed.split(' '), OPTIONS).join(' ')).toBe(expected);
  });
});
