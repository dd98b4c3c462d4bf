// The profile that the picture contains, as arrays with one entry for each node. Node 0 is the root.
import { KINDS, ROOT_NAME } from './appearance.js';
import { unpacked } from './numbers.js';

/** Reads the data block: a profile, or a comparison, in which the width of a box is the sum of before and after. */
export function readModel(text) {
  const data = unpacked(JSON.parse(text));
  const size = data.frame.length + 1;
  const model = {
    data,
    size,
    names: data.names.map(visible),
    frame: new Int32Array(size).fill(-1),
    parent: new Int32Array(size).fill(-1),
    self: new Float64Array(size),
    before: null,
    comparison: data.of === 'comparison',
    unit: data.unit,
  };
  model.frame.set(data.frame, 1);
  for (let node = 1; node < size; node += 1) {
    let parent = node - 1;
    for (let levels = data.up[node - 1]; levels > 0; levels -= 1) parent = model.parent[parent];
    model.parent[node] = parent;
  }
  if (model.comparison) {
    model.beforeSelf = new Float64Array(size);
    model.beforeSelf.set(data.beforeSelf, 1);
    model.afterSelf = new Float64Array(size);
    model.afterSelf.set(data.afterSelf, 1);
    model.changed = data.changed && new Set(data.changed);
    model.self = model.afterSelf.map((after, node) => after + model.beforeSelf[node] * data.beforeFactor);
  } else {
    model.weight = data.weight ?? data.samples;
    data.node.forEach((node, row) => {
      model.self[node] += model.weight[row];
    });
  }
  return model;
}

/** Name, kind and object of a frame, or of the root where there is no frame (-1). */
export function frameOf(model, frame) {
  if (frame < 0) return { name: ROOT_NAME, kind: 'thread', dso: '' };
  const { data } = model;
  return {
    name: model.names[frame],
    kind: KIND_OF[data.kinds[frame]],
    dso: visible(data.dsos[data.dso[frame]]),
  };
}

const KIND_OF = Object.fromEntries(Object.entries(KINDS).map(([kind, { letter }]) => [letter, kind]));

// As in src/text/printable.ts: a name must not change the direction of the text beside it, or hide a part of itself.
const visible = (name) =>
  name.replaceAll(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => {
      const code = character.charCodeAt(0).toString(16);
      return code.length < 3 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
    },
  );

/** The entries of the timeline, with times in seconds since the first; undefined for a profile without times. */
export function entriesOf(model) {
  const { timeline } = model.data;
  if (!timeline) return undefined;
  let ticks = 0;
  const at = timeline.later.map((later) => {
    ticks += later;
    return ticks / 100000;
  });
  return { at, stack: timeline.stack, samples: timeline.samples };
}

/** The weight of an entry of the timeline, which may stand for several samples of its row. */
export function entryWeight(model, entries, entry) {
  const row = entries.stack[entry];
  return (model.weight[row] * (entries.samples ? entries.samples[entry] : 1)) / model.data.samples[row];
}
