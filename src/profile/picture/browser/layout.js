// Places boxes. A layout has the start of each box (in the weight of the view) and its depth.

/** Places children side by side, in the order of the view. */
export function layOut(view) {
  const size = view.frame.length;
  const start = new Float64Array(size);
  const taken = new Float64Array(size);
  const depth = new Int32Array(size);
  for (let box = 1; box < size; box += 1) {
    const parent = view.parent[box];
    start[box] = start[parent] + taken[parent];
    taken[parent] += view.total[box];
    depth[box] = depth[parent] + 1;
  }
  return { start, depth };
}

const TOO_THIN = 2;

/**
 * The boxes that can be seen if `zoomed` fills the width: its ancestors, itself, and those of its descendants that have at
 * least the share `least` of the width. `hidden` counts the others.
 */
export function visibleBoxes(view, { depth }, zoomed, least) {
  const shown = new Uint8Array(view.frame.length);
  const boxes = [];
  const ancestors = [];
  for (let box = view.parent[zoomed]; box >= 0; box = view.parent[box]) ancestors.push(box);
  for (const box of ancestors) boxes.push(box);
  const threshold = view.total[zoomed] * least;
  let hidden = 0;
  let hiddenWeight = 0;
  let deepest = depth[zoomed];
  shown[zoomed] = 1;
  if (view.total[zoomed] > 0 || zoomed === 0) boxes.push(zoomed);
  for (let box = zoomed + 1; box < view.frame.length; box += 1) {
    const parent = view.parent[box];
    if (!shown[parent] || view.total[box] <= 0) continue;
    if (shown[parent] === TOO_THIN || view.total[box] < threshold) {
      if (shown[parent] !== TOO_THIN) hiddenWeight += view.total[box];
      shown[box] = TOO_THIN;
      hidden += 1;
      continue;
    }
    shown[box] = 1;
    boxes.push(box);
    if (depth[box] > deepest) deepest = depth[box];
  }
  return { boxes, ancestors: new Set(ancestors), hidden, hiddenWeight, deepest };
}
