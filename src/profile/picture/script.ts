import type { AssetName } from '../../assets.ts';

/** In the order in which they use each other. */
const MODULES = [
  'numbers',
  'appearance',
  'model',
  'elements',
  'views',
  'layout',
  'head',
  'heat',
  'main',
] as const;

/**
 * The browser half as one script without modules, for a picture has no other file to import: the modules one behind
 * the other in a function, their imports and exports taken out.
 */
export function browserScript(asset: (name: AssetName) => string): string {
  const text = MODULES.map((name) =>
    asset(`profile/picture/browser/${name}.js`)
      .replaceAll(/^import [^;]*;\n/gm, '')
      .replaceAll(/^export /gm, ''),
  ).join('\n');
  return `(() => {\n'use strict';\n${text}})();\n`;
}
