import type { V1Namespace, V1Node, V1Pod } from '@kubernetes/client-node';
import type { Reached } from '../cluster/cluster.ts';
import type { DebugPodChoice } from '../plan/plan.ts';
import type { KernelFacts } from '../snapshot/kernel.ts';
import type { Probe } from '../snapshot/probe.ts';
import type { Fact } from './check.ts';
import type { Right } from './rights.ts';

/** Where the cluster is, as the kubeconfig says. */
export interface Door extends Reached {
  /** The namespace of targets. */
  readonly namespace: string;
  /** The proxy between this machine and the API server, without credentials. */
  readonly proxy?: string;
}

/** A right, and whether the user has it. */
export interface AskedRight {
  readonly right: Right;
  readonly isAllowed: Fact<boolean>;
}

/** The answer to the dry run of a debug pod: what admission would change in it. */
export type Admission = Fact<readonly string[]>;

/** What the user named, as far as it was found. */
export interface FoundTarget {
  /** As the user typed it. */
  readonly text: string;
  /** What was found, and why it cannot be a target, if it cannot. A node as target is found with its name alone. */
  readonly pod?: V1Pod;
  readonly refusal?: { readonly reason: string; readonly hint?: string };
}

/** All that the checks decide by. */
export interface Facts {
  readonly debugPod: DebugPodChoice;
  /** The version of kubectl, such as `v1.34.1`. */
  readonly kubectl: Fact<string>;
  readonly door: Fact<Door>;
  /** The name by which the API server knows the user; undefined if it does not tell. */
  readonly user: Fact<string | undefined>;
  readonly rights: readonly AskedRight[];
  readonly namespace: Fact<V1Namespace>;
  /** By the name of the verb that creates the pod. */
  readonly admission: Readonly<Record<'flamegraph' | 'pcap', Admission>>;
  /** Absent if the user named no target. */
  readonly target?: Fact<FoundTarget>;
  /** The node of the target; without a target, all nodes. */
  readonly nodes: Fact<readonly V1Node[]>;
  /** What the node said about its kernel. Absent if it is not asked, because there is no target. */
  readonly kernel?: Fact<KernelFacts & Probe>;
}
