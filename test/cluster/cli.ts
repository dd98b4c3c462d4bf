import { down } from './down.ts';
import { KUBECONFIG } from './home.ts';
import { createReport } from './progress.ts';
import { renderStatus, status } from './status.ts';
import { up } from './up.ts';

const USAGE = `Usage: npm run cluster up|down|status

  up      starts a real Kubernetes on this machine, or repairs the one that is there
  down    ends it and leaves the machine as it was
  status  says what is up; exit status 0 when everything is
`;

const COMMANDS: Readonly<Record<string, () => Promise<number>>> = {
  async up() {
    await up(createReport());
    process.stdout.write(`export KUBECONFIG=${KUBECONFIG}\n`);
    return 0;
  },
  async down() {
    await down(createReport());
    return 0;
  },
  async status() {
    const { lines, healthy } = await status();
    process.stdout.write(renderStatus(lines));
    return healthy ? 0 : 1;
  },
};

const command = COMMANDS[process.argv[2] ?? ''];
if (command && process.argv.length === 3) {
  try {
    process.exitCode = await command();
  } catch (error) {
    process.stderr.write(`cluster: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
} else {
  process.stderr.write(USAGE);
  process.exitCode = 2;
}
