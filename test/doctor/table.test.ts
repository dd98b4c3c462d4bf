import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import type { Check } from '../../src/doctor/check.ts';
import { checkTable } from '../../src/doctor/table.ts';

const FIX =
  'kubectl gkeprof manifests | kubectl apply -f - && kubectl create rolebinding x -n gkeprof --role=x';
const CHECKS: readonly Check[] = [
  { check: 'kubectl', status: 'ok', found: 'v1.34.1' },
  {
    check: 'rights',
    status: 'problem',
    found: 'not allowed: create pods (for every verb that creates one)',
    fix: FIX,
  },
  { check: 'disk', status: 'unknown', found: 'ok warning problem' },
];

it('has a line for each check where nobody looks at it', () => {
  expect(checkTable(CHECKS).split('\n')).toEqual([
    expect.stringMatching(/^CHECK +STATUS +FOUND +FIX$/),
    'kubectl  ok       v1.34.1',
    `rights   problem  not allowed: create pods (for every verb that creates one)  ${FIX}`,
    'disk     unknown  ok warning problem',
    '',
  ]);
});

it('is the same on a wide terminal, with colours for the status alone', () => {
  const coloured = checkTable(CHECKS, { columns: 200, hasColours: true });
  expect(stripVTControlCharacters(coloured)).toBe(checkTable(CHECKS));
  expect(coloured.match(/\u001b\[3[0-9]m\w+/g)).toEqual([
    '\u001b[32mok',
    '\u001b[31mproblem',
    '\u001b[36munknown',
  ]);
  expect(checkTable(CHECKS, { columns: 200, hasColours: false })).toBe(checkTable(CHECKS));
});

it('breaks what was found on a narrow terminal, and leaves a fix whole for copying', () => {
  const lines = checkTable(CHECKS, { columns: 60, hasColours: false }).split('\n');
  expect(lines).toEqual([
    'CHECK    STATUS   FOUND, and what to do',
    'kubectl  ok       v1.34.1',
    'rights   problem  not allowed: create pods (for every verb',
    '                  that creates one)',
    `         → fix    ${FIX}`,
    'disk     unknown  ok warning problem',
    '',
  ]);
});

it('shows control characters instead of sending them', () => {
  const found = 'a\u001b[2J\nkubectl  ok';
  for (const screen of [undefined, { columns: 200, hasColours: false }])
    expect(checkTable([{ check: 'x', status: 'ok', found }], screen)).toContain('a\\x1b[2J\\nkubectl  ok');
});
