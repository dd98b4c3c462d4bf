import { describe, expect, it } from 'vitest';
import { firstArgument, separated } from '../../src/cli/expand-flags.ts';
import type { OptionTable } from '../../src/cli/option-spec.ts';
import { VERBOSE } from '../../src/cli/options.ts';

const OPTIONS: OptionTable = {
  ...VERBOSE,
  output: { type: 'string', alias: 'o', describe: '', group: '' },
  watch: { type: 'boolean', alias: 'w', describe: '', group: '' },
  filter: { type: 'string', describe: '', group: '' },
  'dry-run': {
    type: 'string',
    describe: '',
    group: '',
    choices: ['none', 'client', 'server'],
    valueIfOmitted: 'client',
  },
  server: { type: 'array', describe: '', group: '', valueIfOmitted: 'usual', valuePattern: /^https?:/ },
};

describe('separated', () => {
  it.each([
    ['pod/x -v', 'pod/x --verbose=1'],
    ['-v --watch pod/x', '--verbose=1 --watch=true pod/x'],
    ['-vv pod/x', '--verbose=1 --verbose=2 pod/x'],
    ['-vv', '--verbose=1 --verbose=2'],
    ['-v -v --verbose', '--verbose=1 --verbose=2 --verbose=3'],
    ['-v=6', '--verbose=6'],
    ['-v6', '--verbose=6'],
    ['--v=2', '--v=2'],
    ['--v', '--verbose=1'],
    ['-v 2', '-v 2'],
    ['x -wv 2 y', 'x --watch=true -v 2 y'],
    ['-vv 3', '--verbose=1 -v 3'],
    ['--v 2 y', '--verbose=2 y'],
    ['--verbose 10', '--verbose=10'],
    ['-v -2', '--verbose=1 -2'],
    ['-w 2', '--watch=true 2'],
    ['--verbose=2', '--verbose=2'],
    ['-ojson', '--output=json'],
    ['-o=json', '--output=json'],
    ['-o json', '-o json'],
    ['-wojson', '--watch=true --output=json'],
    ['-wv', '--watch=true --verbose=1'],
    ['-wo json -v', '--watch=true -o json --verbose=1'],
    ['-o -v', '-o -v'],
    ['--filter -v', '--filter -v'],
    ['--filter=-v', '--filter=-v'],
    ['-x -wx', '-x -wx'],
    ['- a-b --unknown', '- a-b --unknown'],
    ['--dry-run pod/x', '--dry-run=client pod/x'],
    ['--dry-run server pod/x', '--dry-run=server pod/x'],
    ['--dry-run=none', '--dry-run=none'],
    ['x --dry-run', 'x --dry-run=client'],
    ['--server file', '--server=usual file'],
    ['--server https://a file', '--server=https://a file'],
    ['--server https://a --server http://b', '--server=https://a --server=http://b'],
    ['file --server', 'file --server=usual'],
    ['--server=x file', '--server=x file'],
  ])('%s → %s', (typed, expected) => {
    expect(separated(typed.split(' '), OPTIONS).join(' ')).toBe(expected);
  });

  it.each(['-v 11', '-v pod/x', '-v ./2', '-wv x', '--verbose 2.pcap', '--v x'])(
    'refuses %s: as in kubectl, the word behind it would be the level',
    (typed) => {
      expect(() => separated(typed.split(' '), OPTIONS)).toThrow(/^-.*: ".*" is not a level from 0 to 10$/);
    },
  );
});

describe('firstArgument', () => {
  it.each([
    ['x', 0],
    ['-o json x', 2],
    ['-ojson x', 1],
    ['-wo json x', 2],
    ['-v 3 x', 2],
    ['-v x', 1],
    ['--filter x', -1],
    ['--filter=x y', 1],
    ['--dry-run x', 1],
    ['--dry-run client x', 2],
    ['--server x', 1],
    ['--server http://a x', 2],
    ['--unknown x', 1],
    ['- x', 0],
    ['-w -- x', -1],
  ])('of %s is word %d', (typed, at) => expect(firstArgument(typed.split(' '), OPTIONS)).toBe(at));
});
