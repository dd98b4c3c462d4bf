import { builtinModules } from 'node:module';
import { guarded } from './guarded.ts';

/** A module's text that looks like another module, which it loads when the first of its names is read. */
async function standIn(specifier: string): Promise<string> {
  const module = (await import(specifier)) as { default: unknown };
  const load = `let loaded;\nconst load = () => (loaded ??= require(${JSON.stringify(specifier)}));\n`;
  if (CALLED.has(specifier.replace(/^node:/, ''))) {
    const lines = Object.entries(module)
      .filter(([name, value]) => /^(?!default)\w+$/.test(name) && typeof value === 'function')
      .map(([name]) =>
        // Capitals are classes, which are not called.
        /^[A-Z]/.test(name)
          ? `Object.defineProperty(exports, '${name}', { enumerable: true, get: () => load().${name} });\n`
          : `exports.${name} = (...words) => load().${name}(...words);\n`,
      );
    return `${load}module.exports = exports = (...words) => (load().default ?? load())(...words);\n${lines.join('')}`;
  }
  const names = Object.keys(module).filter((name) => name !== 'default');
  return `${load}for (const name of ${JSON.stringify(names)})
  Object.defineProperty(exports, name, { enumerable: true, get: () => load()[name] });
`;
}

/** Those that every start needs, those whose whole is a function or a class, and one that is mostly its default. */
const AT_ONCE = new Set(['path', 'stream', 'events', 'process', 'module', 'buffer', 'url']);

/**
 * Those of which functions are called, by whom names are read at once. They are not Node's own functions then: what
 * util.promisify knows of `exec` is not known of its stand-in.
 */
const CALLED = new Set(['assert', 'child_process']);

/**
 * Has modules of Node loaded when something of theirs is first used, not when a module that imports them is. Loading
 * node:crypto alone takes longer than all of `version`, and every verb imports what another one uses.
 */
export const nodeLazily = guarded('node-lazily', ['module of Node'], (bundle, matched) => {
  const names = builtinModules.filter((name) => !name.startsWith('_') && !AT_ONCE.has(name));
  const filter = new RegExp(`^(?:node:)?(?:${names.join('|')})$`);
  bundle.onResolve({ filter }, ({ path, kind, namespace }) =>
    kind === 'import-statement' && namespace !== 'lazily'
      ? { path, namespace: 'lazily' }
      : { path, external: true },
  );
  bundle.onLoad({ filter: /.*/, namespace: 'lazily' }, async ({ path }) => {
    matched('module of Node');
    return { loader: 'js', contents: await standIn(path) };
  });
});
