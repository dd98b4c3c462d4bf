import { expect, it } from 'vitest';
import { kernelOf } from '../../src/snapshot/kernel.ts';
import { parseSnapshot } from '../../src/snapshot/snapshot.ts';

it.each<[string, object]>([
  [
    'btf:yes\n/proc/sys/kernel/kptr_restrict:1\n/proc/sys/kernel/perf_event_paranoid:-1',
    { btf: true, kptrRestrict: 1, perfEventParanoid: -1 },
  ],
  ['whole:yes', { btf: false }],
  [
    '/proc/sys/kernel/kptr_restrict:\u001b[2J\n/proc/sys/kernel/perf_event_paranoid:2',
    { btf: false, perfEventParanoid: 2 },
  ],
])('reads %j', (text, want) => expect(kernelOf(parseSnapshot(text))).toEqual(want));
