// `npm run bench:cpu`: what the two readings of the CPU counters cost on a node (src/node/cpu.sh), for a container of THREADS (2000)
// processes: the wall time and the CPU time of both readings, and of what is counted from them. The best and the worst of ROUNDS (5).

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runShell } from '../node/shell.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const THREADS = Number(process.env.THREADS ?? 2000);

const folder = mkdtempSync(join(tmpdir(), 'gkeprof-cpu-'));
const list = join(folder, 'pids');
const target = spawn(
  'bash',
  [
    '-c',
    `for ((at = 0; at < ${THREADS}; at++)); do sleep 3600 & printf '%s\\n' $!; done >"$1"; : >"$1.all"; read -r; kill $(jobs -p)`,
    'x',
    list,
  ],
  {
    stdio: ['pipe', 'ignore', 'inherit'],
  },
);
const found = () => {
  try {
    readFileSync(`${list}.all`);
    return true;
  } catch {
    return false;
  }
};
while (!found()) await new Promise((resolve) => setTimeout(resolve, 100));
mkdirSync(join(folder, 'pod/container'), { recursive: true });
writeFileSync(join(folder, 'pod/container/cgroup.threads'), readFileSync(list));

const measure = `cgroup_root=$1; declare -A arg=([scope]=container)
read_all() { read_cpu_counters pod/container pod; read_threads pod/container; }
begin=\${EPOCHREALTIME/./}
read_all; keep_cpu_counters; read_all; count_cpu pod/container pod
printf '%s %s\\n' "$((\${EPOCHREALTIME/./} - begin))" "\${#cpu_ran_before[@]}"
read -ra stat </proc/self/stat; printf '%s\\n' "$((stat[13] + stat[14]))"`;
const rounds = Array.from({ length: ROUNDS }, () => {
  const printed = runShell(['node/protocol.sh', 'node/identity.sh', 'node/cpu.sh'], measure, [folder]);
  const [wall, read, ticks] = printed.trim().split(/\s+/).map(Number);
  return { wall: wall! / 1000, read: read!, cpu: ticks! * 10 };
});
const range = (values: readonly number[]) =>
  `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)} ms`;
process.stdout.write(
  `${rounds[0]!.read} of ${THREADS} threads, both readings: ${range(rounds.map(({ wall }) => wall))}, ` +
    `CPU time of the whole script ${range(rounds.map(({ cpu }) => cpu))}\n`,
);
target.stdin.end('\n');
rmSync(folder, { recursive: true });
