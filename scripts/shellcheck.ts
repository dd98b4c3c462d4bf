// Shellcheck over every shell file: those of the node joined as they are sent, so that names are known, and others alone.
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { asset } from '../src/assets.ts';
import { COLLECTORS } from '../src/collectors/index.ts';
import { captureScript } from '../src/collectors/script.ts';

const alone = (await execa('git', ['ls-files', '-co', '--exclude-standard', '*.sh', '.ci/run'])).stdout
  .split('\n')
  .filter((file) => file && !/^src\/(?:node|collectors)\//.test(file));
const checks = [
  { name: 'src/node (capture)', text: captureScript(COLLECTORS, asset) },
  { name: 'src/node/files.sh', text: asset('node/files.sh') },
  ...(await Promise.all(alone.map(async (name) => ({ name, text: await readFile(name, 'utf8') })))),
];
let failed = 0;
for (const { name, text } of checks) {
  const shell = /^#!.*\bsh\b(?<!bash)/.test(text) ? 'sh' : 'bash';
  // SC2016: in lines that are typed for a shell on the node, single quotes are meant.
  const except = name.startsWith('test/goldens/') ? ['-e', 'SC2016'] : [];
  const result = await execa('shellcheck', ['-s', shell, ...except, '-'], { input: text, reject: false });
  if (result.exitCode !== 0) {
    failed += 1;
    process.stdout.write(`${name}\n${result.stdout}\n${result.stderr}\n`);
  }
}
process.stdout.write(`shellcheck: ${checks.length - failed} of ${checks.length} clean\n`);
process.exitCode = failed ? 1 : 0;
