import type { AnyCommand } from '../cli/command.ts';
import { analyze } from './analyze.ts';
import { complete } from './complete.ts';
import { completion } from './completion.ts';
import { config } from './config.ts';
import { crictl } from './crictl.ts';
import { diff } from './diff.ts';
import { doctor } from './doctor.ts';
import { flamegraph } from './flamegraph.ts';
import { image } from './image.ts';
import { manifests } from './manifests.ts';
import { mcp } from './mcp.ts';
import { nodes } from './nodes.ts';
import { pcap } from './pcap.ts';
import { ps } from './ps.ts';
import { render } from './render.ts';
import { sessions } from './sessions.ts';
import { shell } from './shell.ts';
import { verify } from './verify.ts';
import { version } from './version.ts';
import { waitsVerb } from './waits.ts';
import { whois } from './whois.ts';

/** The verbs, in the order of the help. */
export const COMMANDS: readonly AnyCommand[] = [
  flamegraph,
  pcap,
  waitsVerb,
  ps,
  whois,
  crictl,
  shell,
  sessions,
  nodes,
  analyze,
  render,
  diff,
  verify,
  doctor,
  manifests,
  mcp,
  image,
  config,
  completion,
  version,
  complete,
];
