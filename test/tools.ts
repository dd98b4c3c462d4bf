import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BIN } from './cluster/home.ts';

/**
 * The tests that need more than Node, npm and sh: programs, Linux or root. They are the vitest project `tools`, so that
 * `npm run unit` passes on any machine. vitest.config.ts reads the table, and test/tools/missing.test.ts names each file
 * that is left out, with the reason. In `npm test` no file is left out: a missing tool is a failure there.
 */

/** A program on PATH, or one of these conditions. */
export type Tool = 'linux' | 'root' | 'bash 5' | (string & {});

/** Set by scripts/test.ts: every tool must exist. */
export const TOOLS_ARE_REQUIRED = process.env.GKEPROF_TEST_TOOLS === 'required';

const NODE_SCRIPT: readonly Tool[] = ['linux', 'bash 5'];
const LOCAL_API: readonly Tool[] = ['kubectl', 'openssl'];

/** What each file of the project `tools` needs. Paths are relative to the folder test. */
export const FILES_WITH_TOOLS: Readonly<Record<string, readonly Tool[]>> = {
  'bundle.test.ts': ['kubectl', 'mkfifo'],
  'cli/cluster-options.test.ts': ['kubectl'],
  'cli/completion/bash.test.ts': ['bash', 'kubectl'],
  'cluster/lock.test.ts': ['linux'],
  'cluster-door/connect.test.ts': ['kubectl'],
  'cluster-door/kubectl.test.ts': ['bash 5', 'ps', 'sleep'],
  'cluster-door/kubectl-version.test.ts': ['kubectl', 'sleep'],
  'cluster-door/login.test.ts': [...LOCAL_API, 'bash', 'stat', 'tmux'],
  'cluster-door/matrix/matrix.test.ts': LOCAL_API,
  'cluster-door/reached.test.ts': LOCAL_API,
  'cluster-door/transport.test.ts': LOCAL_API,
  'collectors/perf/harvest.test.ts': [
    ...NODE_SCRIPT,
    'root',
    'gcc',
    'mkfifo',
    'mknod',
    'nice',
    'perf',
    'perl',
  ],
  'collectors/perf/jitdump.test.ts': ['linux', 'root', 'perf', 'perl'],
  'collectors/perf/kernel.test.ts': [...NODE_SCRIPT, 'root', 'perf', 'unshare', 'mount'],
  'collectors/perf/look.test.ts': ['linux', 'perl', 'sleep'],
  'collectors/perf/script.test.ts': NODE_SCRIPT,
  'collectors/perf/stacks.test.ts': [...NODE_SCRIPT, 'root', 'gcc', 'perf'],
  'collectors/snapshot/script.test.ts': [...NODE_SCRIPT, 'root', 'perl', 'ps', 'unshare'],
  'collectors/tcpdump/script.test.ts': NODE_SCRIPT,
  'collectors/waits/sampler.test.ts': ['linux', 'root', 'gcc', 'perl'],
  'commands/interrupted.test.ts': ['kubectl', 'mkfifo'],
  'commands/unanswered.test.ts': ['kubectl'],
  'debuginfod/real-server.test.ts': [
    ...['debuginfod', 'debuginfod-find', 'eu-strip', 'gcc', 'ld.gold', 'ld.lld', 'objcopy', 'perf'],
  ],
  'doctor/by-hand.test.ts': ['kubectl'],
  'files/input.test.ts': ['bzip2', 'gzip', 'xz', 'zstd'],
  'image/contents.test.ts': ['linux', 'tar'],
  'image/unwinder.test.ts': [
    'linux',
    'root',
    'g++',
    'gcc',
    'go',
    'nm',
    'objcopy',
    'objdump',
    'patch',
    'perf',
    'perl',
    'readelf',
    'rustc',
    'strip',
    'xz',
  ],
  'node/arguments.test.ts': NODE_SCRIPT,
  'node/hostile-profile.test.ts': [...NODE_SCRIPT, 'root', 'mkfifo', 'perf', 'perl'],
  'node/cpu.test.ts': NODE_SCRIPT,
  'node/identity.test.ts': [...NODE_SCRIPT, 'root'],
  'node/memory.test.ts': [...NODE_SCRIPT, 'root', 'mount', 'nsenter', 'setpriv', 'unshare'],
  'node/network.test.ts': [...NODE_SCRIPT, 'root'],
  'node/named-profile.test.ts': [...NODE_SCRIPT, 'root', 'go', 'perf', 'sed'],
  'node/recorders.test.ts': [...NODE_SCRIPT, 'root', 'ip', 'nsenter', 'perf', 'tcpdump'],
  'node/protocol.test.ts': NODE_SCRIPT,
  'node/waits.test.ts': [...NODE_SCRIPT, 'root', 'gzip', 'ip', 'nsenter', 'perl'],
  'packets/combine/combine.test.ts': ['capinfos', 'mergecap', 'reordercap', 'tshark'],
  'packets/endpoints.test.ts': ['tshark'],
  'packets/file/other-formats.test.ts': ['bash', 'editcap'],
  'packets/file/pcapng.test.ts': ['tshark'],
  'packets/generated.test.ts': ['capinfos', 'tshark'],
  'packets/print/expert.test.ts': ['tshark'],
  'packets/print/tshark.test.ts': ['capinfos', 'tshark'],
  'packets/redact/redact.test.ts': ['mkfifo', 'tshark'],
  'packets/tcp/health.test.ts': ['tshark'],
  'packets/tcp/round-trips.test.ts': ['tshark'],
  'packets/times.test.ts': ['capinfos', 'tshark'],
  'profile/export/exports.test.ts': ['go'],
  'profile/export/pprof.test.ts': ['go'],
  'profile/fields.test.ts': ['perf'],
  'profile/read/pprof.test.ts': ['go'],
  'screen.test.ts': ['tmux'],
  'session/download.test.ts': ['bash 5', 'dd', 'head', 'sha256sum'],
  'session/prompt.test.ts': LOCAL_API,
  'workflows/actionlint.test.ts': ['go', 'shellcheck'],
  'workflow/by-hand.test.ts': ['awk', 'bash', 'shellcheck'],
  'workflow/combine-captures.test.ts': ['linux', 'root', 'capinfos', 'mount'],
};

/** Folders in which the tests look for a program before they look on PATH. */
const MORE_FOLDERS: Readonly<Record<string, string>> = { kubectl: BIN, go: '/usr/local/go/bin' };

const isInstalled = (program: string): boolean =>
  [MORE_FOLDERS[program] ?? '', ...(process.env.PATH ?? '').split(delimiter)].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });

const bashVersion = (): number =>
  Number(spawnSync('bash', ['-c', 'printf %s "$BASH_VERSINFO"'], { encoding: 'utf8' }).stdout || 0);

const isAllowedToRecord = (): boolean =>
  spawnSync('perf', ['record', '-e', 'cpu-clock', '-o', '/dev/null', 'true'], { stdio: 'ignore' }).status ===
  0;

/** Why a tool cannot be used on this machine; undefined where it can. */
export function reasonMissing(tool: Tool): string | undefined {
  if (tool === 'linux') return process.platform === 'linux' ? undefined : 'needs Linux';
  if (tool === 'root') return process.getuid?.() === 0 ? undefined : 'needs root';
  if (tool === 'bash 5') return bashVersion() >= 5 ? undefined : 'needs bash 5 or newer on PATH';
  if (!isInstalled(tool)) return `needs ${tool}, which is not installed`;
  if (tool === 'perf' && !isAllowedToRecord()) return 'needs the permission to record with perf';
  return undefined;
}

/** Each file that cannot run on this machine, with the reasons. */
export function filesWithoutTools(): ReadonlyArray<readonly [file: string, reasons: string]> {
  const reasons = new Map<Tool, string | undefined>();
  const reasonOf = (tool: Tool): string | undefined => {
    if (!reasons.has(tool)) reasons.set(tool, reasonMissing(tool));
    return reasons.get(tool);
  };
  return Object.entries(FILES_WITH_TOOLS).flatMap(([file, tools]) => {
    const missing = tools.flatMap((tool) => reasonOf(tool) ?? []);
    return missing.length === 0 ? [] : [[file, missing.join(', ')] as const];
  });
}
