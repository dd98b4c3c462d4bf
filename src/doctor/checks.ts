import type { Check, Finding } from './check.ts';
import { checkRights } from './check-rights.ts';
import { checkCluster, checkKubectl, checkUser } from './client.ts';
import type { Facts } from './facts.ts';
import { checkDebugPod, checkKernel, KERNEL_CHECKS } from './kernel.ts';
import { checkAdmission, checkImage, checkNamespace, checkPodSecurity } from './namespace.ts';
import {
  checkArchitecture,
  checkAutopilot,
  checkDisk,
  checkGvisor,
  checkPressure,
  checkReadiness,
  checkRuntime,
  checkTarget,
  checkVirtual,
} from './node.ts';
import { RIGHT_GROUPS } from './rights.ts';

/** All checks, in the order in which something would fail. Those of the kernel only if the node was asked. */
export function runChecks(facts: Facts): Check[] {
  const { target, kernel } = facts;
  const rows: ReadonlyArray<readonly [check: string, finding: Finding]> = [
    ['kubectl', checkKubectl(facts)],
    ['cluster', checkCluster(facts)],
    ['identity', checkUser(facts)],
    ...RIGHT_GROUPS.map((group) => [`rights-${group}`, checkRights(group, facts)] as const),
    ['namespace', checkNamespace(facts)],
    ['pod-security', checkPodSecurity(facts)],
    ...Object.entries(facts.admission).map(
      ([verb, admission]) => [`admission-${verb}`, checkAdmission(admission, facts.debugPod)] as const,
    ),
    ['image', checkImage(facts)],
    ...(target ? [['target', checkTarget(facts)] as const] : []),
    ['node', checkReadiness(facts)],
    ['virtual-node', checkVirtual(facts)],
    ['pressure', checkPressure(facts)],
    ['disk', checkDisk(facts)],
    ['architecture', checkArchitecture(facts)],
    ['runtime', checkRuntime(facts)],
    ['gvisor', checkGvisor(facts)],
    ['autopilot', checkAutopilot(facts)],
    ...(kernel ? [['debug-pod', checkDebugPod(kernel)] as const] : []),
    ...(kernel
      ? Object.entries(KERNEL_CHECKS).map(([name, decide]) => [name, checkKernel(decide, kernel)] as const)
      : []),
  ];
  return rows.map(([check, finding]) => ({ check, ...finding }));
}
