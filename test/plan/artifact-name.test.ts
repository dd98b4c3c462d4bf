import { expect, it } from 'vitest';
import { baseName, manyTargetsName, profileScope } from '../../src/plan/artifact-name.ts';
import { fc } from '../properties.ts';

const AT = Date.UTC(2022, 2, 31, 14, 44, 1, 999);

it('names files as the runbook did', () => {
  expect(baseName('gke-a', AT, 'all_cpus')).toBe('gke-a.20220331_144401_UTC.all_cpus');
  expect(profileScope('redis', 'redis-0')).toBe('pod_redis_redis-0');
  expect(profileScope('redis', 'redis-0', 'metrics')).toBe('container_redis_redis-0_metrics');
});

it('gives a name that every file system and kubectl cp take, at most 200 bytes with any ending', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 260 }), fc.string({ maxLength: 400 }), (node, scope) => {
      const name = baseName(node, AT, scope);
      expect(name).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/);
      expect(Buffer.byteLength(`${name}.99.perf-script.txt.gz`)).toBeLessThanOrEqual(200);
    }),
  );
});

it('tells long names apart by a hash of the whole', () => {
  const long = 'x'.repeat(300);
  expect(baseName('n', AT, `${long}a`)).not.toBe(baseName('n', AT, `${long}b`));
  expect(baseName('n', AT, `${long}a`)).toMatch(/-[0-9a-f]{8}$/);
});

it('names what is made of several pods after their nodes and their workload', () => {
  const pod = (namespace: string, name: string, node: string) => ({ namespace, name, node });
  const replicas = [pod('redis', 'redis-0', 'gke-a'), pod('redis', 'redis-1', 'gke-b')];
  expect(manyTargetsName(replicas, AT, 'redis')).toBe('2-nodes.20220331_144401_UTC.pods_redis_redis');
  expect(manyTargetsName([{ node: 'a' }, { node: 'b' }], AT)).toBe('2-nodes.20220331_144401_UTC.nodes_2');
  expect(manyTargetsName(replicas, AT)).toBe('2-nodes.20220331_144401_UTC.pods_redis_2');
  expect(manyTargetsName([replicas[0]!, pod('shop', 'cart', 'gke-a')], AT)).toBe(
    'gke-a.20220331_144401_UTC.pods_2',
  );
});
