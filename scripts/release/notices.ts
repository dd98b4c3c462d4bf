import type { Material } from './materials.ts';

/** The parts of an executable that come from Node: its version, and the text of its LICENSE file. */
export interface NodeNotice {
  readonly version: string;
  readonly licence: string;
}

const LINE = '='.repeat(80);

/**
 * The licences of everything from others in an archive: first a list, a line for each package with name, version and
 * licence, then all texts. Node's LICENSE has those of its parts as well, such as V8, OpenSSL and ICU.
 */
export function thirdPartyNotices(materials: readonly Material[], node?: NodeNotice): string {
  const parts = [
    ...materials.map(({ name, version, manifest, texts }) => ({
      title: `${name} ${version} (${manifest.license ?? 'see its text'})`,
      text: texts.join('\n\n'),
    })),
    ...(node
      ? [{ title: `node ${node.version} (see its text, also for its parts)`, text: node.licence.trim() }]
      : []),
  ];
  const intro = `kubectl-gkeprof is licensed under the Apache License 2.0 (LICENSE). It contains the following software of others,
each under its own licence. The texts of all licences follow the list.`;
  const list = parts.map(({ title }) => `- ${title}`).join('\n');
  const texts = parts.map(({ title, text }) => `${LINE}\n${title}\n${LINE}\n\n${text}\n`);
  return `${intro}\n\n${list}\n\n${texts.join('\n')}`;
}
