// `npm run bench:start`: how long the tool takes to start, beside what it is measured against, in one run of hyperfine:
// help, version and completion beside `node -e 0`; the executable beside `kubectl version --client`; `flamegraph pod/x
// --dry-run=client` beside `kubectl get pod x`, to the first answer of the API, which a proxy before it sees, and to the end.
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { ensureCluster } from '../cluster/index.ts';
import { toFirstAnswer } from './first-answer.ts';

const ROUNDS = process.env.ROUNDS ?? '30';
const root = fileURLToPath(new URL('../..', import.meta.url));
const bundle = join(root, 'dist/kubectl-gkeprof');
const executable = join(root, 'dist/linux-x64/kubectl-gkeprof');

await execa(process.execPath, [join(root, 'scripts/build.ts')]);
const hasExecutable = await access(executable).then(
  () => true,
  () => false,
);
if (!hasExecutable) process.stdout.write('no executable: `npm run build` makes it\n');
const cluster = await ensureCluster();
const kubectl = join(cluster.binDir, 'kubectl');
const folder = await mkdtemp(join(tmpdir(), 'gkeprof-bench-'));
const env = {
  KUBECONFIG: cluster.kubeconfig,
  PATH: [cluster.binDir, process.env.PATH].join(delimiter),
  XDG_CACHE_HOME: folder,
  // Read by Node alone, 20 ms where it is set.
  NODE_EXTRA_CA_CERTS: '',
};

interface Measured {
  readonly command: string;
  readonly mean: number;
  readonly min: number;
  readonly median: number;
  readonly user: number;
}

/** Runs the commands in turn; the first is what the others are compared with. */
async function compare(title: string, limit: string, commands: Record<string, string>): Promise<void> {
  const result = join(folder, 'result.json');
  const words = ['--shell=none', '--warmup=5', `--runs=${ROUNDS}`, '--ignore-failure', '--style=none'];
  await execa('hyperfine', [...words, `--export-json=${result}`, ...Object.values(commands)], { env });
  const { results } = JSON.parse(await readFile(result, 'utf8')) as { results: Measured[] };
  process.stdout.write(
    `\n${title} (goal: ${limit})\n| command | wall, best | wall, median | user | times the first (best / user) |\n| --- | --- | --- | --- | --- |\n`,
  );
  const ms = (seconds: number) => `${(seconds * 1000).toFixed(1)} ms`;
  const first = results[0]!;
  Object.keys(commands).forEach((name, index) => {
    const { min, median, user } = results[index]!;
    const times = `${(min / first.min).toFixed(2)} / ${(user / first.user).toFixed(2)}`;
    process.stdout.write(`| ${name} | ${ms(min)} | ${ms(median)} | ${ms(user)} | ${times} |\n`);
  });
}

try {
  const node = process.execPath;
  await compare('help, version, completion', 'at most 1.5', {
    'node -e 0': `${node} -e 0`,
    '--help': `${node} ${bundle} --help`,
    'flamegraph --help': `${node} ${bundle} flamegraph --help`,
    version: `${node} ${bundle} version`,
    'completion bash': `${node} ${bundle} completion bash`,
    '__complete flamegraph --d': `${node} ${bundle} __complete flamegraph --d`,
  });
  const asking = {
    'kubectl get pod x': `${kubectl} get pod x`,
    'flamegraph pod/x --dry-run=client': `${node} ${bundle} flamegraph pod/x --dry-run=client`,
    ...(hasExecutable && {
      'the same by the executable': `${executable} flamegraph pod/x --dry-run=client`,
    }),
  };
  if (cluster.owned) {
    process.stdout.write(
      '\nto the first answer of the API (goal: at most 2)\n| command | best | median | times the first |\n| --- | --- | --- | --- |\n',
    );
    const times = await toFirstAnswer(Object.values(asking), Number(ROUNDS), folder, env);
    Object.keys(asking).forEach((name, at) => {
      const { best, median } = times[at]!;
      const ratio = `${(best / times[0]!.best).toFixed(2)} / ${(median / times[0]!.median).toFixed(2)}`;
      process.stdout.write(`| ${name} | ${best.toFixed(1)} ms | ${median.toFixed(1)} ms | ${ratio} |\n`);
    });
  }
  await compare('the same to the end, of a pod that is not there', 'none', asking);
  if (hasExecutable) {
    await compare('the executable', 'at most 1.5', {
      'kubectl version --client': `${kubectl} version --client`,
      'executable version': `${executable} version`,
      'executable --help': `${executable} --help`,
    });
  }
} finally {
  await rm(folder, { recursive: true, force: true });
  if (cluster.started) await cluster.down();
}
