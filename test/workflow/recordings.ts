import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { baseName, profileScope } from '../../src/plan/artifact-name.ts';
import type { NodeTask } from '../../src/plan/plan.ts';
import type { Target } from '../../src/plan/target.ts';
import type { SessionResult } from '../../src/session/result.ts';
import type { Recorded } from '../../src/workflow/run-capture.ts';
import { PERF, planOf, podOf } from '../plans.ts';

/** 2026-11-30 02:00:00 UTC. */
export const START = Date.UTC(2026, 10, 30, 2);

export interface RecordedText {
  /** The pod; absent for a whole node. */
  readonly name?: string;
  readonly text: string;
  readonly node?: string;
  readonly namespace?: string;
  readonly result?: Partial<SessionResult>;
}

/** A verified recording of a pod with the container `redis`, or of a node: its compressed text is in the folder. */
export function recordedIn(
  folder: string,
  { name, text, node = 'node-a', namespace = 'redis', result = {} }: RecordedText,
): Pick<Recorded, 'plan' | 'result'> {
  const target: Target =
    name === undefined
      ? { kind: 'node', node }
      : podOf({
          ...{ name, namespace, node },
          containers: [
            { name: 'redis', id: 'a'.repeat(64), running: true },
            { name: 'setup', id: 'b'.repeat(64), running: false },
          ],
        });
  const scope = name === undefined ? 'node' : profileScope(namespace, name);
  const base = join(folder, baseName(node, START, scope));
  const data = gzipSync(text);
  const path = `${base}.perf-script.txt.gz`;
  writeFileSync(path, data);
  return {
    plan: planOf({ ...PERF, scope: target.kind } as NodeTask, target),
    result: {
      reached: { context: 'prod', server: 'https://api.example:6443', isCurrent: true },
      artifact: {
        ...{ path, base, bytes: data.length, resumedBytes: 0 },
        sha256: createHash('sha256').update(data).digest('hex'),
      },
      ...{ isRaw: false, unnamedProcesses: 0, ended: 'time', stoppedBy: 'limit', toolStatus: 0 },
      ...{ startedAt: START, stoppedAt: START + 60_000 },
      ...{ kernel: '6.18.0', toolVersion: 'perf version 6.12', imageId: 'image@sha256:0' },
      last: undefined,
      targetChanges: [],
      removed: Promise.resolve(),
      ...result,
    },
  };
}
