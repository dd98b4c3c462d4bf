// Runs a script of this project on its pinned Node, on any machine that has some Node and npm: installs the
// dependencies first where they are missing or older than package-lock.json. Plain JavaScript for old Nodes.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const pinned = join(root, 'node_modules/node/bin/node');
const mark = join(root, 'node_modules/.package-lock.json');
const lock = join(root, 'package-lock.json');

if (!existsSync(pinned) || !existsSync(mark) || statSync(mark).mtimeMs < statSync(lock).mtimeMs) {
  process.stderr.write('setup: installing the dependencies (npm ci)\n');
  const result = spawnSync('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
const env = { ...process.env, PATH: [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter) };
const child = spawn(pinned, process.argv.slice(2), { cwd: root, stdio: 'inherit', env });
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
