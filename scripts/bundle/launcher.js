/* global CLUSTER_VERBS, IS_EXECUTABLE, KEY, PACKED, PIECES, VERBS */
// The head of dist/kubectl-gkeprof; scripts/bundle/bundle.ts puts the pieces of the program behind it, packed and in a
// comment: every start reads and scans all of this file, 5 ms a megabyte. What a start needs of them, the texts and
// V8's compiled form for the verb, is kept in the user's cache folder: compiling takes a third of a short command.
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
    // What kubectl says of the configuration is waited for: it is asked first.
    const ahead = CLUSTER_VERBS.includes(verb) ? run('ahead', 'ahead').readAhead(words, home) : undefined;
    run('program', `program-${verb}`, import.meta.url, { text, run, ahead });
  }
}

/** Help and the version: written without Node's stream, which takes 7 ms to be made for a pipe. */
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

/** Evaluates a piece, a function around a CommonJS module; returns what it exports. */
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
  // At the end, so that what this run compiled is in it.
  if (path && (!cachedData || script.cachedDataRejected))
    process.on('exit', () => writeOwn(path, script.createCachedData()));
  return module.exports;
}

/** The text of a piece: plain in the cache folder, else from the end of this file. */
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

/** In the folder for such files; undefined where there is none. A relative one is none (XDG Base Directory Specification). */
function cachePath(name) {
  const { isAbsolute, join } = require('node:path');
  const { XDG_CACHE_HOME, LOCALAPPDATA, HOME } = process.env;
  const folder =
    process.platform === 'win32' ? LOCALAPPDATA : XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
  if (!folder || !isAbsolute(folder)) return undefined;
  return join(folder, 'kubectl-gkeprof', `${KEY}-${name}`);
}

/** What is kept there is run, so the folder must be this user's alone, and no link to another. Windows has no such modes. */
function isOwnFolder(folder) {
  const status = require('node:fs').lstatSync(folder);
  if (!process.getuid) return status.isDirectory();
  return status.isDirectory() && status.uid === process.getuid() && !(status.mode & 0o077);
}

/** The same of a file: of this user, with no other name, no link, and nobody else can write it. */
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
 * Makes the folder, only below what is this user's or root's: root with another user's HOME leaves nothing in it that
 * this user could not use. False where there is another in its place.
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

/** Takes the place of those of other releases. Where nothing can be written, each start compiles anew. */
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
    // It is only the faster way.
  }
}
