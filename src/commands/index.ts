import { analyze } from './analyze.ts';
import type { AnyCommand } from './command.ts';
import { diff } from './diff.ts';
import { flamegraph } from './flamegraph.ts';
import { manifests } from './manifests.ts';
import { pcap } from './pcap.ts';
import { render } from './render.ts';
import { version } from './version.ts';

/** The verbs, in the order of the help. */
export const COMMANDS: readonly AnyCommand[] = [flamegraph, pcap, analyze, render, diff, manifests, version];
