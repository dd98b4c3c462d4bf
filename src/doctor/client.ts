import { printable } from '../text/printable.ts';
import { TESTED_KUBERNETES } from '../version.ts';
import { answerOf, type Finding, failureOf, ok, problem, unknown, unknownBecause } from './check.ts';
import type { Facts } from './facts.ts';

/** The oldest kubectl that is not refused: its minor version of Kubernetes 1. */
const OLDEST_MINOR = 23;

/** The same, as people write it. */
export const OLDEST_KUBECTL = `1.${OLDEST_MINOR}`;

const releaseOf = (version: string): readonly [major: number, minor: number] | undefined => {
  const [, major, minor] = /^v?(\d+)\.(\d+)\b/.exec(version) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor)];
};

/**
 * By how many minor releases kubectl is newer than the Kubernetes that this release is tested with, negative for an older
 * one; undefined if its version has another form.
 */
export function skewOf(kubectl: string): number | undefined {
  const [tested, given] = [releaseOf(TESTED_KUBERNETES)!, releaseOf(kubectl)];
  return given && given[0] === tested[0] ? given[1] - tested[1] : undefined;
}

export function checkKubectl({ kubectl }: Pick<Facts, 'kubectl'>): Finding {
  const failure = failureOf(kubectl);
  // kubectl runs on this machine, so it is also what is wrong if it does not answer as it should.
  if (failure) return failure.isSilent ? unknownBecause(failure) : problem(failure.reason, failure.hint);
  const version = answerOf(kubectl)!;
  const given = releaseOf(version);
  if (!given) return unknown(`kubectl calls its version "${printable(version)}"`);
  if (given[0] > 1 || given[1] >= OLDEST_MINOR) return ok(version);
  return problem(
    `${version} is older than ${OLDEST_KUBECTL}`,
    `Install kubectl ${OLDEST_KUBECTL} or newer, and put it first on PATH.`,
  );
}

/** Whether the cluster was reached, and by which way. An answer that refuses something is an answer nevertheless. */
export function checkCluster({ door, user }: Pick<Facts, 'door' | 'user'>): Finding {
  const closed = failureOf(door);
  if (closed) return problem(closed.reason, closed.hint);
  const { server, context, proxy } = answerOf(door)!;
  const way = `${server}${context ? ` (context ${context})` : ''}, ${proxy ? `through the proxy ${proxy}` : 'without a proxy'}`;
  const silent = failureOf(user);
  if (!silent || silent.code !== undefined) return ok(way);
  return problem(`${way}: ${silent.reason}`, silent.hint);
}

export function checkUser({ user }: Pick<Facts, 'user'>): Finding {
  const failure = failureOf(user);
  if (failure?.code === 401) return problem(failure.reason, failure.hint);
  // The row `cluster` says why.
  if (failure)
    return failure.code === undefined ? unknown('the cluster was not reached') : unknownBecause(failure);
  const name = answerOf(user);
  return name === undefined
    ? unknown('the API server does not tell (SelfSubjectReview, Kubernetes 1.28)')
    : ok(name);
}
