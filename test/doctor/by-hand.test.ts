import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { doctorByHand, kernelByHand } from '../../src/doctor/by-hand.ts';
import { RIGHTS } from '../../src/doctor/rights.ts';
import { KUBECTL } from '../real-kubectl.ts';
import { HEALTHY } from './scene.ts';

const lines = doctorByHand({ kubectl: 'kubectl', targetNamespace: 'redis', debugNamespace: 'gkeprof' });

it('asks for every right where it is needed', () => {
  expect(lines.filter((line) => line.includes('can-i'))).toHaveLength(RIGHTS.length);
  expect(lines).toEqual(
    expect.arrayContaining([
      'kubectl auth can-i create pods --subresource=exec -n gkeprof || :',
      'kubectl auth can-i get pods -n redis || :',
      'kubectl auth can-i list nodes -A || :',
    ]),
  );
});

it('has no word that kubectl does not know', () => {
  const flags = new Set(lines.flatMap((line) => line.match(/(?<= )--[a-z-]+/g) ?? []));
  const help = ['auth can-i', 'get', 'version']
    .map((verb) => execFileSync(KUBECTL, [...verb.split(' '), '--help'], { encoding: 'utf8' }))
    .join('');
  for (const flag of flags) expect(help).toContain(`${flag}=`);
});

it('reads on the node what the debug pod reads', () => {
  const text = kernelByHand({ kubectl: 'kubectl', node: 'node-a', debugPod: HEALTHY.debugPod }).join('\n');
  expect(text).toContain('node/node-a');
  for (const file of ['/sys/fs/cgroup', '/sys/kernel/btf/vmlinux', 'kptr_restrict', 'perf_event_paranoid'])
    expect(text).toContain(file);
});
