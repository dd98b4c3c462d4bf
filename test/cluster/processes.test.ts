import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { needing } from '../needing.ts';
import { homeOfDaemon } from './down.ts';
import { mountPointOf } from './pins.ts';
import { identify, parseStat, startedAt } from './processes.ts';

/** A line of /proc/PID/stat with the given name and state, started 45306 ticks after boot. */
function statOf(name: string, state: string): string {
  return `2447 (${name}) ${state} 1 2447 2447 0 -1 4194560 12017 0 11 0 402 177 0 0 20 0 11 0 45306 11852062720 14961 18446744073709551615 1 1 0 0 0 0 0 0 2143420159 0 0 0 17 1 0 0 0 0 0`;
}

describe('parseStat', () => {
  it('reads state and start time', () => {
    expect(parseStat(statOf('etcd', 'S'))).toEqual({ state: 'S', startTicks: 45306 });
  });

  it.each(['a b', 'sh) R 1', '(sd-pam)', ')) Z ('])('is not led astray by the name %j', (name) => {
    expect(parseStat(statOf(name, 'Z'))).toEqual({ state: 'Z', startTicks: 45306 });
  });

  it('refuses what is no stat', () => {
    expect(() => parseStat('2447 (etcd) S 1')).toThrow('not a /proc/PID/stat');
  });
});

describe('identify', () => {
  needing('linux', 'sleep')('tells a process by pid, start time and argv[0], and when it began', async () => {
    const before = Date.now();
    const child = spawn('sleep', ['60'], { argv0: '/somewhere/run/sbin/etcd' });
    try {
      await once(child, 'spawn');
      const identity = (await identify(child.pid!))!;
      expect(identity.argv0).toBe('/somewhere/run/sbin/etcd');
      expect(await identify(child.pid!)).toEqual(identity);
      // The kernel counts in hundredths of a second.
      const began = await startedAt(identity);
      expect(began).toBeGreaterThan(before - 1000);
      expect(began).toBeLessThan(Date.now() + 1000);
    } finally {
      child.kill('SIGKILL');
    }
    await once(child, 'close');
    expect(await identify(child.pid!)).toBeUndefined();
  });
});

describe('homeOfDaemon', () => {
  it('finds the folder of the cluster that a daemon belongs to', () => {
    expect(homeOfDaemon('/srv/my cluster/run/sbin/kubelet')).toBe('/srv/my cluster');
  });

  it.each(['/usr/bin/containerd-shim-runc-v2', '/pause', 'run/sbin/etcd', ''])('leaves %j alone', (argv0) => {
    expect(homeOfDaemon(argv0)).toBeUndefined();
  });
});

describe('mountPointOf', () => {
  it('undoes the escapes of mountinfo', () => {
    const line = String.raw`73 29 0:53 / /tmp/a\040b\134c rw,relatime - tmpfs gkeprof-namespaces rw,mode=700`;
    expect(mountPointOf(line)).toBe('/tmp/a b\\c');
  });
});
