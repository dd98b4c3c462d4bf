import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SCHEMA_VERSIONS, TESTED_KUBERNETES } from '../../src/version.ts';
import { KUBERNETES_VERSION } from '../cluster/layout.ts';
import { gkeprof } from '../command-line.ts';
import { faults, SCHEMA_NAMES, schema } from '../schemas.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-version-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A kubectl that says this, and leaves a file behind when it was asked. */
function kubectl(says: string): Readonly<Record<string, string>> {
  const path = join(folder, 'kubectl');
  writeFileSync(path, `#!/bin/sh\n: >${folder}/asked\ncat <<'END'\n${says}\nEND\n`);
  chmodSync(path, 0o755);
  return { PATH: `${folder}:/usr/bin:/bin` };
}
const client = (gitVersion: string) => JSON.stringify({ clientVersion: { gitVersion } });

it.each([
  ['the same release', client('v1.34.9'), { version: 'v1.34.9', skew: 0, status: 'ok' }],
  ['an older one', client('v1.32.4-gke.1'), { version: 'v1.32.4-gke.1', skew: -2, status: 'ok' }],
  ['one that is too old', client('v1.20.0'), { version: 'v1.20.0', skew: -14, status: 'problem' }],
  ['a later Kubernetes', client('v2.0.0'), { version: 'v2.0.0', skew: null, status: 'ok' }],
  ['no version', '{}', { version: null, skew: null, status: 'problem' }],
])('version -o json tells of kubectl: %s', async (_what, says, expected) => {
  const run = await gkeprof(['version', '-o', 'json'], '', kubectl(says));
  const data = JSON.parse(run.stdout.toString()) as { kubectl: object };
  expect([run.code, run.stderr, faults('version', data)]).toEqual([0, '', []]);
  expect(data.kubectl).toMatchObject(expected);
});

it('is printed without asking kubectl', async () => {
  const env = kubectl(client('v1.34.0'));
  rmSync(join(folder, 'asked'), { force: true });
  for (const words of [['version'], ['--version'], ['version', '-o', 'name']])
    expect((await gkeprof(words, '', env)).code).toBe(0);
  expect(existsSync(join(folder, 'asked'))).toBe(false);
});

/** All `version` or `receiptVersion` that a schema requires. */
function versionsIn(value: unknown): unknown[] {
  if (Array.isArray(value)) return value.flatMap(versionsIn);
  if (typeof value !== 'object' || value === null) return [];
  const { properties } = value as { properties?: Record<string, { const?: unknown }> };
  const own = properties?.receiptVersion ?? (properties?.kind?.const ? properties.version : undefined);
  return [...(own ? [own.const] : []), ...Object.values(value).flatMap(versionsIn)];
}

it('names the versions of all schemas, as docs/schemas has them', () => {
  // What `manifests` prints is a list of Kubernetes.
  expect(Object.keys(SCHEMA_VERSIONS)).toEqual(SCHEMA_NAMES.filter((name) => name !== 'manifests').sort());
  for (const [name, version] of Object.entries(SCHEMA_VERSIONS))
    expect([...new Set(versionsIn(schema(name)))], name).toEqual([version]);
});

it('names the Kubernetes of the test cluster', () =>
  expect(KUBERNETES_VERSION.replace(/\.\d+$/, '')).toBe(TESTED_KUBERNETES));
