// The views that can be drawn, as trees of boxes. A view has frame, parent, total and self of each box, parents first.
import { entryWeight } from './model.js';

/** An empty view. A stack continues in the child of the same frame, or, if `inOrder`, only in the last child. */
export function startView(inOrder) {
  return {
    frame: [-1],
    parent: [-1],
    total: [0],
    self: [0],
    children: [inOrder ? -1 : new Map()],
    inOrder,
    origin: [0],
  };
}

export function enter(view, parent, frame, weight, origin) {
  let box;
  if (view.inOrder) {
    const last = view.children[parent];
    box = last >= 0 && view.frame[last] === frame ? last : -1;
  } else box = view.children[parent].get(frame) ?? -1;
  if (box < 0) {
    box = view.frame.length;
    view.frame.push(frame);
    view.parent.push(parent);
    view.total.push(0);
    view.self.push(0);
    view.origin.push(origin);
    view.children.push(view.inOrder ? -1 : new Map());
    if (view.inOrder) view.children[parent] = box;
    else view.children[parent].set(frame, box);
  }
  view.total[box] += weight;
  return box;
}

/** All stacks as they are. `self` has the own weight of each node, in the whole profile or in a range of time. */
export function wholeView(model, self) {
  const total = Float64Array.from(self);
  for (let node = model.size - 1; node > 0; node -= 1) total[model.parent[node]] += total[node];
  return { frame: model.frame, parent: model.parent, total, self, origin: null };
}

/** The own weight of each node within a range of time, given in seconds since the first sample. */
export function selfBetween(model, entries, from, to) {
  const self = new Float64Array(model.size);
  for (let entry = 0; entry < entries.at.length; entry += 1) {
    if (entries.at[entry] < from || entries.at[entry] >= to) continue;
    self[model.data.node[entries.stack[entry]]] += entryWeight(model, entries, entry);
  }
  return self;
}

/** The frames from a node to the root, beginning with its own. */
export function stackOf(model, node) {
  const frames = [];
  for (let at = node; at > 0; at = model.parent[at]) frames.push(model.frame[at]);
  return frames;
}

/**
 * The callers and the callees of a function, summed over all its places in the tree: two views with the function as root. A
 * stack that contains the function several times counts once, at the outermost place.
 */
export function sandwichViews(model, self, frame) {
  const callers = startView(false);
  const callees = startView(false);
  callers.frame[0] = frame;
  callees.frame[0] = frame;
  const outermost = new Int32Array(model.size).fill(-1);
  for (let node = 1; node < model.size; node += 1) {
    const above = outermost[model.parent[node]];
    outermost[node] = above >= 0 ? above : model.frame[node] === frame ? node : -1;
    const place = outermost[node];
    if (place < 0 || self[node] === 0) continue;
    const weight = self[node];
    let box = 0;
    callees.total[0] += weight;
    const down = [];
    for (let at = node; at !== place; at = model.parent[at]) down.push(model.frame[at]);
    for (const each of down.reverse()) box = enter(callees, box, each, weight, 0);
    callees.self[box] += weight;
    box = 0;
    callers.total[0] += weight;
    for (const each of stackOf(model, model.parent[place])) box = enter(callers, box, each, weight, 0);
  }
  return { callers, callees };
}

/** Stacks in time order, thread by thread, the busiest thread first. Neighbours that are equal are one box. */
export function chartView(model, entries, from, to) {
  const view = startView(true);
  const byThread = new Map();
  for (let entry = 0; entry < entries.at.length; entry += 1) {
    if (entries.at[entry] < from || entries.at[entry] >= to) continue;
    const thread = model.data.thread ? model.data.thread[entries.stack[entry]] : -1;
    if (!byThread.has(thread)) byThread.set(thread, []);
    byThread.get(thread).push(entry);
  }
  for (const [, list] of [...byThread].sort((a, b) => b[1].length - a[1].length || a[0] - b[0])) {
    let top = true;
    for (const entry of list) {
      const weight = entryWeight(model, entries, entry);
      const node = model.data.node[entries.stack[entry]];
      view.total[0] += weight;
      let box = 0;
      for (const frame of stackOf(model, node).reverse()) {
        if (top) view.children[0] = -1; // Each thread has boxes of its own, also if its names are the same.
        top = false;
        box = enter(view, box, frame, weight, node);
      }
      view.self[box] += weight;
      view.children[box] = -1; // A call in the next sample is another call.
    }
  }
  return view;
}
