/* global CLUSTER_VERBS, IS_EXECUTABLE, KEY, PACKED, PIECES, VERBS */
// The head of dist/kubectl-gkeprof. scripts/bundle/bundle.ts puts the pieces of the program behind it, packed and in a
// comment, because every start reads and scans all of this file, which takes 5 ms per megabyte. What a start needs is kept
// in the user's cache folder: the texts of the pieces, and their compiled form as V8 made it for the verb. Without it,
// compiling would take a third of the time of a short command.
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
  const words = process.argv.slice(2);
  const answer = words.length < 3 && JSON.parse(text('answers'))[words.join(' ')];
  if (answer) print(answer);
  else if (words[0] === '__complete') run('table', 'table', import.meta.url, { text, run });
  else {
    const verb = VERBS.includes(words[0]) ? words[0] : 'other';
    const home = { env: process.env, windows: process.platform === 'win32' };
    // kubectl is asked for the configuration first, because the program has to wait for its answer.
    const ahead = CLUSTER_VERBS.includes(verb) ? run('ahead', 'ahead').readAhead(words, home) : undefined;
    run('program', `program-${verb}`, import.meta.url, { text, run, ahead });
  }
}

/** Prints help or the version without Node's stream, because making that stream for a pipe takes 7 ms. */
function print(answer) {
  let written = 0;
  const bytes = Buffer.from(answer);
  try {
    if (process.platform !== 'win32') written = require('node:fs').writeSync(1, bytes);
  } catch (error) {
    if (error.code === 'EPIPE') return; // `… | head` ends quietly, as with other tools.
    if (error.code !== 'EAGAIN') throw error;
  }
  if (written < bytes.length) process.stdout.write(bytes.subarray(written));
}

/**
 * Evaluates a piece, a function around a CommonJS module; returns what it exports.
 *
 * Node's own `module.enableCompileCache` is simpler and too slow: it makes its cache right after a module was compiled, and
 * so without the functions that V8 compiles when they are first called: 0.3 MB for the program instead of 1.2 MB. CPU time
 * with this cache and with Node's, medians of 45 runs with Node 26.10: `version` 32 and 32 ms, `render` of a small file 89
 * and 123 ms, `flamegraph --dry-run=client` with a server that does not answer 153 and 186 ms.
 */
function run(piece, use, ...more) {
  const vm = require('node:vm');
  const path = cachePath(`${process.version}-${process.arch}-${use}.v8`);
  const cachedData = path && readOwn(path);
  const script = new vm.Script(text(piece), {
    filename: `kubectl-gkeprof-${piece}`,
    ...(cachedData && { cachedData }),
  });
  const module = { exports: {} };
  script.runInThisContext()(require, module, module.exports, ...more);
  // Made at the end, so that the functions that this run compiled are in it.
  if (path && (!cachedData || script.cachedDataRejected))
    process.on('exit', () => writeOwn(path, script.createCachedData()));
  return module.exports;
}

/** The text of a piece: from the cache folder, where it is not packed, or else from the end of this file. */
function text(piece) {
  const path = cachePath(`${piece}.txt`);
  const [start, length] = PIECES[piece];
  let bytes = path && readOwn(path);
  if (bytes?.length !== length) {
    bytes = unpack().subarray(start, start + length);
    if (path) process.on('exit', () => writeOwn(path, bytes));
  }
  return bytes.latin1Slice();
}

function unpack() {
  const { brotliDecompressSync } = require('node:zlib');
  if (IS_EXECUTABLE) return brotliDecompressSync(Buffer.from(require('node:sea').getRawAsset('pieces')));
  const file = require('node:fs').readFileSync(new URL(import.meta.url), 'latin1');
  const packed = file.slice(-PACKED - 3, -3);
  return brotliDecompressSync(Buffer.from(packed, 'base64'));
}

/**
 * The path of a file in the cache folder; undefined where there is no cache folder. A relative path does not count as one
 * (XDG Base Directory Specification).
 */
function cachePath(name) {
  const { isAbsolute, join } = require('node:path');
  const { XDG_CACHE_HOME, LOCALAPPDATA, HOME } = process.env;
  const folder =
    process.platform === 'win32' ? LOCALAPPDATA : XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
  if (!folder || !isAbsolute(folder)) return undefined;
  return join(folder, 'kubectl-gkeprof', `${KEY}-${name}`);
}

/**
 * Whether the folder is this user's alone, and no link to another folder: what is kept there is run as a program. Windows
 * has no such modes.
 */
function isOwnFolder(folder) {
  const status = require('node:fs').lstatSync(folder);
  if (!process.getuid) return status.isDirectory();
  return status.isDirectory() && status.uid === process.getuid() && !(status.mode & 0o077);
}

/**
 * The content of a file that belongs to this user, that nobody else can write, and that is no link and has no other name;
 * undefined for any other file.
 */
function readOwn(path) {
  const fs = require('node:fs');
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
  let file;
  try {
    if (!isOwnFolder(require('node:path').dirname(path))) return undefined;
    file = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const status = fs.fstatSync(file);
    const own = !process.getuid || (status.uid === process.getuid() && !(status.mode & 0o022));
    return own && status.isFile() && status.nlink === 1 ? fs.readFileSync(file) : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

/**
 * Makes the folder, but only within a folder of this user or of root: if root runs with another user's HOME, nothing may be
 * left there that this other user cannot use. Returns false where the folder is not safe.
 */
function makeOwnFolder(folder) {
  const fs = require('node:fs');
  const { dirname } = require('node:path');
  let above = dirname(folder);
  while (!fs.existsSync(above) && above !== dirname(above)) above = dirname(above);
  if (process.getuid && ![0, process.getuid()].includes(fs.statSync(above).uid)) return false;
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return isOwnFolder(folder);
}

/** Writes a file of the cache, and removes those of other releases. Where nothing can be written, each start compiles anew. */
function writeOwn(path, data) {
  const fs = require('node:fs');
  const { dirname, join } = require('node:path');
  const folder = dirname(path);
  try {
    if (!makeOwnFolder(folder)) return;
    for (const name of fs.readdirSync(folder))
      if (/\.(?:v8|txt)$/.test(name) && !name.startsWith(KEY)) fs.rmSync(join(folder, name));
    const part = `${path}.${process.pid}`;
    fs.writeFileSync(part, data, { mode: 0o600, flag: 'wx' });
    fs.renameSync(part, path);
  } catch {
    // The cache only saves time: the command has done its work without it.
  }
}
