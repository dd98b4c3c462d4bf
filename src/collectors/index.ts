import type { NodeWork } from './collector.ts';
import { crictlWork, shellWork } from './command/command.ts';
import { perf } from './perf/perf.ts';
import { inspect } from './snapshot/snapshot.ts';
import { tcpdump } from './tcpdump/tcpdump.ts';
import { waits } from './waits/waits.ts';

/**
 * All collectors. The node's script, the privileges and the admission policy are made from this table: a new collector is
 * a folder beside these and a line here. (The interface is in collector.ts, because the collectors import it.)
 */
export const COLLECTORS: readonly NodeWork[] = [perf, tcpdump, waits, inspect, crictlWork, shellWork];

/** The row of a collector. Throws for a name that is not in the table. */
export function collectorOf(name: string): NodeWork {
  const found = COLLECTORS.find((each) => each.name === name);
  if (!found) throw new Error(`no collector is called ${name}`);
  return found;
}
