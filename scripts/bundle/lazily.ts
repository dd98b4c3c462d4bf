import { builtinModules } from 'node:module';
import { guarded } from './guarded.ts';

/** The text of a module that stands for another one, which it loads when one of its names is first read. */
async function standIn(specifier: string): Promise<string> {
  const module = (await import(specifier)) as { default: unknown };
  const load = `let loaded;\nconst load = () => (loaded ??= require(${JSON.stringify(specifier)}));\n`;
  if (CALLED.has(specifier.replace(/^node:/, ''))) {
    const lines = Object.entries(module)
      .filter(([name, value]) => /^(?!default)\w+$/.test(name) && typeof value === 'function')
      .map(([name]) =>
        // A name with a capital letter is a class, which is not called.
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

/** Modules that every start needs, those that are a function or a class as a whole, and one that is mostly used by its default export. */
const AT_ONCE = new Set(['path', 'stream', 'events', 'process', 'module', 'buffer', 'url']);

/**
 * Modules whose importers read the names at once and call them later: each name is a function that loads the module when it
 * is called. It is not Node's own function then: util.promisify does not know how to treat the stand-in of `exec`.
 */
const CALLED = new Set(['assert', 'child_process']);

/**
 * Loads a module of Node when one of its names is first used, and not together with the module that imports it. Loading
 * node:crypto alone takes longer than the whole of `version`, and every verb imports modules that only other verbs use.
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
