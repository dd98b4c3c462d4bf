import type { AssetName } from '../../assets.ts';

/** The modules, each after those that it uses. */
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
 * The browser half as one script, because a picture cannot import other files: all modules in one function, without their
 * imports and exports.
 */
export function browserScript(asset: (name: AssetName) => string): string {
  const text = MODULES.map((name) =>
    asset(`profile/picture/browser/${name}.js`)
      .replaceAll(/^import [^;]*;\n/gm, '')
      .replaceAll(/^export /gm, ''),
  ).join('\n');
  return `(() => {\n'use strict';\n${text}})();\n`;
}
