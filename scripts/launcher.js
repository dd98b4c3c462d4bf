/* global PROGRAM, KEY */
// The head of dist/kubectl-gkeprof; scripts/build.ts puts PROGRAM behind it, the bundle as text, and KEY, its hash.
// V8's compiled form of the program is kept in the user's cache folder: compiling it takes a third of a short command.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const [major, minor] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 19)) start();
else {
  process.stderr.write(
    `error: kubectl gkeprof needs Node 22.19 or newer, this is ${process.versions.node}\nhint: install a newer Node\n`,
  );
  process.exitCode = 1;
}

function start() {
  const vm = require('node:vm');
  const path = cachePath();
  const cachedData = path && readOwn(path);
  const script = new vm.Script(PROGRAM, {
    filename: 'kubectl-gkeprof',
    ...(cachedData && { cachedData }),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const module = { exports: {} };
  script.runInThisContext()(require, module, module.exports, import.meta.url);
  // At the end, so that what this run compiled is in it.
  if (path && (!cachedData || script.cachedDataRejected))
    process.on('exit', () => writeOwn(path, script.createCachedData()));
}

/** In the folder for such files; undefined where there is none. */
function cachePath() {
  const { join } = require('node:path');
  const { XDG_CACHE_HOME, LOCALAPPDATA, HOME } = process.env;
  const folder =
    process.platform === 'win32' ? LOCALAPPDATA : XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
  if (!folder) return undefined;
  return join(folder, 'kubectl-gkeprof', `${KEY}-${process.version}-${process.arch}.v8`);
}

/** It is run, so it must be a file of this user's that nobody else can write. */
function readOwn(path) {
  const fs = require('node:fs');
  let file;
  try {
    file = fs.openSync(path, 'r');
    const { uid, mode } = fs.fstatSync(file);
    const own = !process.getuid || (uid === process.getuid() && !(mode & 0o022));
    return own ? fs.readFileSync(file) : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

/** Takes the place of those of other releases. Where nothing can be written, each start compiles anew. */
function writeOwn(path, data) {
  const fs = require('node:fs');
  const { dirname, join } = require('node:path');
  const folder = dirname(path);
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of fs.readdirSync(folder)) if (name.endsWith('.v8')) fs.rmSync(join(folder, name));
    const part = `${path}.${process.pid}`;
    fs.writeFileSync(part, data, { mode: 0o600, flag: 'wx' });
    fs.renameSync(part, path);
  } catch {
    // It is only the faster way.
  }
}
