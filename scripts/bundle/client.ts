import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { API_CALLS } from '../../src/cluster/api-calls.ts';
import { guarded } from './guarded.ts';

const CLIENT = /[\\/]@kubernetes[\\/]client-node[\\/]dist[\\/]/;
const gen = fileURLToPath(new URL('gen/', import.meta.resolve('@kubernetes/client-node')));

/** The calls that the program makes. All others are left out of the generated classes. */
const USED = new Set(
  Object.values(API_CALLS).flatMap((names) => names.flatMap((name) => [name, `${name}WithHttpInfo`])),
);

/**
 * The Kubernetes client without its unused parts, and with its rarely used parts evaluated late: loading all of it takes
 * longer than everything else before the first answer of the API server. The build fails if the client's sources are not
 * as expected:
 * - its modules are declared free of side effects, so that the bundler drops the WebSocket half (exec, watch, cp);
 * - undici is left out, because src/cluster/transport.ts takes its place;
 * - of the 1,500 generated calls only those are kept that the program makes, and of the 760 models only those that these
 *   calls send or receive; each model is evaluated when the first object of its kind arrives.
 */
export const clientInParts = guarded(
  'client-in-parts',
  ['undici', 'module', 'API', 'table of types'],
  (bundle, matched) => {
    bundle.onResolve({ filter: /.*/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
      if (!CLIENT.test(importer) || pluginData === 'resolved') return undefined;
      if (path === 'undici') {
        matched('undici');
        return { path, namespace: 'left-out' };
      }
      const found = await bundle.resolve(path, { importer, kind, resolveDir, pluginData: 'resolved' });
      if (!CLIENT.test(found.path)) return found;
      matched('module');
      return { ...found, sideEffects: false };
    });
    bundle.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({
      loader: 'js',
      contents: `const leftOut = () => { throw new Error('undici is not in this bundle'); };
export { leftOut as Agent, leftOut as ProxyAgent, leftOut as fetch };`,
    }));
    bundle.onLoad({ filter: /[\\/]gen[\\/](?:apis|types)[\\/]\w+API?\.js$/i }, async ({ path }) => {
      matched('API');
      return { loader: 'js', contents: usedCalls(await readFile(path, 'utf8')) };
    });
    bundle.onLoad({ filter: /[\\/]gen[\\/]models[\\/]ObjectSerializer\.js$/ }, async ({ path }) => {
      matched('table of types');
      return { loader: 'js', contents: lazyModels(await readFile(path, 'utf8')) };
    });
  },
);

/** A method of a generated class, recognised by how the generator indents it. */
const METHOD = /^ {4}(?:async )?(\w+)\([^\n]*\) \{\n(?: {5,}[^\n]*\n|\n)* {4}\}\n/gm;

const usedCalls = (source: string): string =>
  source.replace(METHOD, (text, name: string) => (name === 'constructor' || USED.has(name) ? text : ''));

/** The models that the used calls send or receive, and the models that these contain. */
function reachableModels(): Set<string> {
  const calls = ['CoreV1Api', 'AuthenticationV1Api', 'AuthorizationV1Api'].map((name) =>
    usedCalls(readFileSync(`${gen}apis/${name}.js`, 'utf8')),
  );
  const reached = new Set<string>();
  const visit = (text: string): void => {
    for (const [name] of text.matchAll(/\b(?:[A-Z]\w*)?V\d\w*\b/g)) {
      const file = `${gen}models/${name}.js`;
      if (reached.has(name) || !existsSync(file)) continue;
      reached.add(name);
      for (const [, type] of readFileSync(file, 'utf8').matchAll(/"type": "([^"]+)"/g)) visit(type!);
    }
  };
  for (const name of Object.values(API_CALLS).flat())
    if (!calls.some((text) => text.includes(` ${name}(`))) throw new Error(`the client has no call ${name}`);
  for (const text of calls)
    for (const [, type] of text.matchAll(/ObjectSerializer\.(?:des|s)erialize\(.*?, "([^"]+)"/g))
      visit(type!);
  const expected = ['V1PodSpec', 'V1SelfSubjectReview', 'V1SelfSubjectAccessReview'];
  if (!expected.every((name) => reached.has(name)) || reached.size > 400)
    throw new Error(`the client's models are not as expected: ${reached.size} are reached`);
  return reached;
}

/** Makes each entry of the table of types (`"V1Pod": V1Pod,`) a getter that loads the module and then replaces itself by the value. */
function lazyModels(source: string): string {
  const imported = new Map<string, string>();
  let text = source
    .replace(/^export \* from '\.\.\/models\/\w+\.js';\n/gm, '')
    .replace(/^import \{ (\w+) \} from '\.\.\/models\/(\w+\.js)';\n/gm, (_, name: string, file: string) => {
      imported.set(name, file);
      return '';
    });
  const reached = reachableModels();
  let entries = 0;
  text = text.replace(/^ {4}"(\w+)": (\w+),$/gm, (line, key: string, name: string) => {
    const file = imported.get(name);
    if (file === undefined) return line;
    entries += 1;
    return reached.has(name)
      ? `    get "${key}"() { return settle("${key}", require("./${file}").${name}); },`
      : '';
  });
  if (imported.size < 500 || entries !== imported.size)
    throw new Error(`the client's table of types is not as expected: ${entries} of ${imported.size} models`);
  return `${text}
function settle(key, value) {
  Object.defineProperty(typeMap, key, { value });
  return value;
}
`;
}
