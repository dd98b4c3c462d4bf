// The heat map, after FlameScope: a column is a second (or more in long recordings), and a row is a fiftieth of a column.
import { element } from './elements.js';

const ROWS = 50;
const CELL = 4;
const MOST_COLUMNS = 180;
const WIDEST = 48;
/** Height of the labels in seconds below the heat map. */
const AXIS = 30;
/** Least distance of two of these labels. */
const TICK = 60;

/** The number of samples in each cell: column by column, each from the bottom to the top. */
export function heatOf(entries) {
  const span = (entries.at.at(-1) ?? 0) + 1e-9;
  const columnSeconds = Math.max(1, Math.ceil(span / MOST_COLUMNS));
  const columns = Math.max(1, Math.ceil(span / columnSeconds));
  const cellSeconds = columnSeconds / ROWS;
  const cells = new Float64Array(columns * ROWS);
  let most = 0;
  for (let entry = 0; entry < entries.at.length; entry += 1) {
    const cell = Math.min(cells.length - 1, Math.floor(entries.at[entry] / cellSeconds));
    cells[cell] += entries.samples ? entries.samples[entry] : 1;
    most = Math.max(most, cells[cell]);
  }
  return { cells, columns, columnSeconds, cellSeconds, most, height: ROWS * CELL };
}

/**
 * Draws the heat map into `group`, and calls `select(from, to)`, in seconds, for each range that the user selects with the
 * pointer or with Shift and the arrow keys. Returns the height that it takes.
 */
export function drawHeat(group, heat, left, width, top, range, select) {
  const wide = Math.min(WIDEST, (width - 2 * left) / heat.columns);
  group.replaceChildren();
  const xOf = (cell) => left + Math.floor(cell / ROWS) * wide;
  const yOf = (cell) => top + (ROWS - 1 - (cell % ROWS)) * CELL;
  const ground = element('rect', {
    class: 'heat-ground',
    x: left,
    y: top,
    width: heat.columns * wide,
    height: heat.height,
    tabindex: 0,
    role: 'application',
    id: 'heat-ground',
    'aria-label': `samples over ${Math.round(heat.columns * heat.columnSeconds)} s: the arrow keys move, Shift and the arrow keys select, Enter shows the selection`,
  });
  group.append(ground);
  heat.cells.forEach((count, cell) => {
    if (count === 0) return;
    const strength = count / heat.most;
    group.append(
      element('rect', {
        class: 'heat-cell',
        x: xOf(cell),
        y: yOf(cell),
        width: Math.max(0.5, wide - 0.5),
        height: CELL - 0.5,
        'fill-opacity': (0.1 + 0.9 * strength).toFixed(2),
      }),
    );
  });
  const each = Math.max(1, Math.ceil(TICK / wide));
  for (let column = 0; column < heat.columns; column += each)
    group.append(
      element(
        'text',
        { class: 'legend', x: left + column * wide, y: top + heat.height + 12 },
        `${column * heat.columnSeconds} s`,
      ),
    );
  const marks = element('g', { id: 'heat-marks' });
  group.append(marks);
  const mark = (first, last) => {
    marks.replaceChildren();
    for (let column = Math.floor(first / ROWS); column <= Math.floor(last / ROWS); column += 1) {
      const low = Math.max(first, column * ROWS);
      const high = Math.min(last, column * ROWS + ROWS - 1);
      marks.append(
        element('rect', {
          class: 'heat-mark',
          x: xOf(low),
          y: yOf(high),
          width: wide,
          height: (high - low + 1) * CELL,
        }),
      );
    }
  };
  const cellAt = (event) => {
    const box = ground.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * heat.columns);
    const row = ROWS - 1 - Math.floor(((event.clientY - box.top) / box.height) * ROWS);
    const inside = (value, most) => Math.max(0, Math.min(most - 1, value));
    return inside(column, heat.columns) * ROWS + inside(row, ROWS);
  };
  const choose = (a, b) => {
    const [first, last] = a < b ? [a, b] : [b, a];
    select(first * heat.cellSeconds, (last + 1) * heat.cellSeconds);
  };
  let from = -1;
  group.onpointerdown = (event) => {
    from = cellAt(event);
    mark(from, from);
    event.preventDefault();
  };
  group.onpointermove = (event) => {
    if (from < 0) return;
    const to = cellAt(event);
    mark(Math.min(from, to), Math.max(from, to));
  };
  group.onpointerup = (event) => {
    if (from < 0) return;
    const began = from;
    from = -1;
    choose(began, cellAt(event));
  };
  let cursor = range ? Math.round(range[0] / heat.cellSeconds) : 0;
  let anchor = cursor;
  const steps = { ArrowRight: ROWS, ArrowLeft: -ROWS, ArrowUp: 1, ArrowDown: -1 };
  ground.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') choose(anchor, cursor);
    else if (event.key in steps) {
      cursor = Math.max(0, Math.min(heat.cells.length - 1, cursor + steps[event.key]));
      if (!event.shiftKey) anchor = cursor;
      mark(Math.min(anchor, cursor), Math.max(anchor, cursor));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  if (range) {
    const last = Math.min(heat.cells.length, Math.round(range[1] / heat.cellSeconds)) - 1;
    mark(Math.round(range[0] / heat.cellSeconds), Math.max(0, last));
  }
  return heat.height + AXIS;
}
