import { describe, expect, it } from 'vitest';
import { peerOf, waitsOf } from '../../src/waits/categories.ts';

const peer = peerOf('tcp', 'out', '10.0.0.5:4000', '10.0.0.9:5432');
const objects = { peers: new Map([[1, peer]]), files: new Map([[1, '/data/file']]) };
const look = (state: string, object: string | undefined, wchan?: string) =>
  ({
    kind: 'look',
    at: 0,
    tid: 1,
    runNs: 0,
    delayNs: 0,
    slices: 0,
    state,
    wchan,
    object,
    seen: undefined,
  }) as const;

describe('waitsOf', () => {
  it.each([
    ['R', undefined, undefined, []],
    ['S', 'idle', undefined, [{ category: 'idle' }]],
    ['S', 'timer', undefined, [{ category: 'sleep' }]],
    ['S', 's:1', undefined, [{ category: 'network', peer }]],
    ['S', 's:1,s:1', undefined, [{ category: 'network', peer }]],
    ['S', 's:1,s:2', undefined, [{ category: 'network', peer }, { category: 'network' }]],
    ['S', 'socket:77', undefined, [{ category: 'network' }]],
    ['S', 'unix:/run/x.sock', undefined, [{ category: 'network', what: 'Unix socket /run/x.sock' }]],
    ['S', 'unix:77', undefined, [{ category: 'network', what: 'a Unix socket' }]],
    ['S', 'futex:7f00:lock', undefined, [{ category: 'lock', what: '0x7f00' }]],
    ['S', 'futex:7f00:cond', undefined, [{ category: 'condition', what: '0x7f00' }]],
    ['S', 'futex:-:-', undefined, [{ category: 'lock' }]],
    ['S', 'flock:1', undefined, [{ category: 'lock', what: '/data/file' }]],
    ['S', 'f:1', undefined, [{ category: 'disk', what: '/data/file' }]],
    ['D', undefined, 'folio_wait', [{ category: 'disk', what: 'kernel: folio_wait' }]],
    ['D', undefined, 'kernel_clone', [{ category: 'other', what: 'the start of a child process' }]],
    ['S', undefined, 'do_wait', [{ category: 'other', what: 'kernel: do_wait' }]],
    ['S', undefined, undefined, [{ category: 'other' }]],
    ['S', 'pipe:77', undefined, [{ category: 'other', what: 'a pipe' }]],
    ['S', 'child', undefined, [{ category: 'other', what: 'a child process' }]],
    ['S', 'other:eventfd', undefined, [{ category: 'other', what: 'eventfd' }]],
    ['T', 'idle', undefined, [{ category: 'stopped' }]],
    ['t', undefined, undefined, [{ category: 'stopped' }]],
    ['Z', undefined, undefined, [{ category: 'other', what: 'ended' }]],
  ] as const)('state %s, object %s, wchan %s', (state, object, wchan, waits) =>
    expect(waitsOf(look(state, object, wchan), objects)).toEqual(waits),
  );
});

describe('peerOf', () => {
  it.each([
    ['out', '10.0.0.5:4000', '10.0.0.9:5432', '10.0.0.9', 5432],
    ['in', '10.0.0.5:6379', '10.0.0.9:41234', '10.0.0.9', 6379],
    ['out', '[fd00::5]:4000', '[fd00::9]:80', 'fd00::9', 80],
    ['out', '[::ffff:10.0.0.5]:4000', '[::ffff:10.0.0.9]:80', '10.0.0.9', 80],
    ['-', '10.0.0.5:53', undefined, undefined, undefined],
  ] as const)('%s %s %s', (direction, local, remote, address, port) =>
    expect(peerOf('tcp', direction, local, remote)).toEqual({ protocol: 'tcp', direction, address, port }),
  );
});
