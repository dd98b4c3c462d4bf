// The browser half of the picture: zoom, search, views, keyboard. The picture is complete without it.

import { button, element } from './elements.js';
import { layHead, say } from './head.js';
import { drawHeat, heatOf } from './heat.js';
import { layOut, visibleBoxes } from './layout.js';
import { entriesOf, frameOf, readModel } from './model.js';
import { chartView, sandwichViews, selfBetween, stackOf, wholeView } from './views.js';
import {
  colourOf,
  cut,
  deltaColour,
  describe,
  describeChange,
  foldedLine,
  shareText,
  weightText,
} from './words.js';

const ROW = 18;
const SIDE = 10;
const LEAST_PIXELS = 0.5;
const PATTERN = { k: 'hatch', j: 'dots', i: 'dots' };
const CLASS = { t: 'thread', u: 'user', k: 'kernel', j: 'jit', i: 'inlined' };

const byId = (id) => document.getElementById(id);
const svg = byId('flamegraph');
const framesGroup = byId('frames');
const details = byId('details');
const model = readModel(byId('gkeprof-data').textContent);
const entries = model.comparison ? undefined : entriesOf(model);
const heat = entries && entries.at.length > 0 ? heatOf(entries) : undefined;
const title = document.querySelector('.title');
/** The lines below the title, the note on what is not drawn the last of them. */
const facts = [...document.querySelectorAll('.subtitle')].map((node) => ({ node, text: node.textContent }));
const noteFact = facts.at(-1);
/** What stands in the row of controls, with its width, and how far it begins above its base line. */
const controls = [];

/** What is shown. `trail` is where Back goes. */
const state = { mode: 'flame', zoomed: 0, frame: -1, range: null, heat: false, query: '', cased: false };
let trail = [];
/** One or two views, one above the other, with the boxes that are drawn. */
let panes = [];
let pattern = null;
let focused = null;

function self() {
  if (!state.range) return model.self;
  return selfBetween(model, entries, state.range[0], state.range[1]);
}

function makePanes() {
  const pane = (view, upwards) => ({ view, upwards, place: layOut(view), zoomed: 0 });
  if (state.mode === 'sandwich') {
    const { callers, callees } = sandwichViews(model, self(), state.frame);
    return [pane(callers, true), pane(callees, false)];
  }
  if (state.mode === 'chart') {
    const [from, to] = state.range ?? [0, Number.POSITIVE_INFINITY];
    return [pane(chartView(model, entries, from, to), true)];
  }
  return [pane(wholeView(model, self()), state.mode === 'flame')];
}

const widthOf = () => Math.max(320, svg.parentElement ? svg.clientWidth : window.innerWidth);
const tell = (text) => say(byId('head'), details, text, SIDE, widthOf());

/** What the views that are there were made for. */
let made = '';

/** Draws what the state says; the views are made anew for another mode, function or range. */
function rebuild() {
  const wanted = JSON.stringify([state.mode, state.frame, state.range]);
  if (wanted !== made) panes = makePanes();
  made = wanted;
  if (state.zoomed >= panes[0].view.frame.length || panes[0].view.total[state.zoomed] <= 0) state.zoomed = 0;
  draw();
}

function draw() {
  const width = widthOf();
  const inner = width - 2 * SIDE;
  const hold = focused && { name: focused.name, depth: focused.depth, start: focused.start };
  const seen = panes.map((pane, at) => {
    pane.zoomed = at === 0 ? state.zoomed : 0;
    return visibleBoxes(pane.view, pane.place, pane.zoomed, LEAST_PIXELS / inner);
  });
  const sum = (of) => seen.reduce((all, each) => all + of(each), 0);
  noteFact.text = thinText(
    sum((each) => each.hidden),
    sum((each) => each.hiddenWeight),
  );
  let y = layHead(byId('head'), headParts, SIDE, width);
  const heatGroup = byId('heat');
  heatGroup.replaceChildren();
  if (state.heat && heat)
    y += drawHeat(heatGroup, heat, SIDE, width, y, state.range, (from, to) =>
      go({ range: [from, to], zoomed: 0 }),
    );
  const groups = [];
  for (const [at, pane] of panes.entries()) {
    const { boxes, ancestors, deepest } = seen[at];
    const rows = deepest + 1;
    pane.boxes = boxes.map((box) => drawBox(pane, at, box, ancestors.has(box), inner, y, rows));
    for (const { group } of pane.boxes) groups.push(group);
    y += rows * ROW;
  }
  framesGroup.replaceChildren(...groups);
  const height = y + 12;
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('height', height);
  showMatches();
  showState();
  focused = null;
  const again = hold && panes.flatMap((pane) => pane.boxes).find((box) => sameBox(box, hold));
  if (again) again.group.focus({ preventScroll: true });
  else if (panes[0].boxes[0]) panes[0].boxes[0].group.setAttribute('tabindex', '0');
}

const sameBox = (box, hold) => box.name === hold.name && box.depth === hold.depth && box.start === hold.start;

const thinText = (hidden, weight) =>
  hidden
    ? `${hidden} boxes of less than half a pixel, ${shareText(weight, panes[0].view.total[state.zoomed])} of the width, are drawn when zoomed into`
    : '';

function drawBox(pane, paneNumber, box, ancestor, inner, y, rows) {
  const { view, place, zoomed, upwards } = pane;
  const frame = frameOf(model, view.frame[box]);
  const depth = place.depth[box];
  const scale = view.total[zoomed] > 0 ? inner / view.total[zoomed] : 0;
  const x = ancestor ? SIDE : SIDE + (place.start[box] - place.start[zoomed]) * scale;
  const wide = ancestor || zoomed === box ? inner : view.total[box] * scale;
  const boxY = upwards ? y + (rows - 1 - depth) * ROW : y + depth * ROW;
  const change = model.comparison && changeOf(box, view.frame[box]);
  const text = change
    ? describeChange(frame, change.before, change.after, model.unit, change.beforeAll, change.afterAll)
    : describe(frame, view.total[box], view.self[box], model.unit, view.total[0], view.total[zoomed]);
  const label = change ? `${change.sign} ${frame.name}` : frame.name;
  const shown = cut(label, wide);
  const fill = change ? change.fill : colourOf(frame);
  const rect = { x: x.toFixed(2), y: boxY, width: wide.toFixed(2), height: ROW - 1 };
  const group = element(
    'g',
    {
      class: `frame ${CLASS[frame.kind]}${ancestor ? ' parent' : ''}`,
      role: 'treeitem',
      tabindex: -1,
      'aria-level': depth + 1,
      'aria-label': text,
      'data-name': frame.name,
    },
    element('title', {}, text),
    element('rect', { class: 'box', ...rect, fill }),
    ...(PATTERN[frame.kind]
      ? [element('rect', { class: 'pattern', ...rect, fill: `url(#${PATTERN[frame.kind]})` })]
      : []),
    ...(shown ? [element('text', { x: (x + 3).toFixed(2), y: boxY + 13 }, shown)] : []),
  );
  const drawn = {
    group,
    box,
    pane,
    paneNumber,
    depth,
    start: place.start[box],
    name: frame.name,
    text,
    ancestor,
  };
  group.addEventListener('click', () => zoomTo(drawn));
  group.addEventListener('focus', () => {
    focused?.group.setAttribute('tabindex', '-1');
    focused = drawn;
    group.setAttribute('tabindex', '0');
    tell(text);
  });
  group.addEventListener('mouseenter', () => {
    tell(text);
  });
  return drawn;
}

const sums = model.comparison && {
  before: wholeView(model, model.beforeSelf).total,
  after: wholeView(model, model.afterSelf).total,
};

/** What a function changed by is chance unless the data says otherwise, or nothing was tested. */
function changeOf(box, frame) {
  if (state.mode === 'sandwich') return null;
  const [before, after] = [sums.before[box], sums.after[box]];
  const comparable = before * model.data.beforeFactor;
  const change = !model.changed || model.changed.has(frame) ? after - comparable : 0;
  const sign = change > 0 ? '+' : change < 0 ? '\u2212' : '=';
  const fill = change ? deltaColour(comparable, after) : deltaColour(1, 1);
  return { before, after, sign, fill, beforeAll: sums.before[0], afterAll: sums.after[0] };
}

/** Another state, with the one before on the trail. */
function go(change) {
  trail.push({ ...state });
  Object.assign(state, change);
  rebuild();
}

function back() {
  const before = trail.pop();
  if (before) Object.assign(state, before);
  else if (state.zoomed) state.zoomed = 0;
  rebuild();
}

function reset() {
  trail = [];
  Object.assign(state, { mode: 'flame', zoomed: 0, frame: -1, range: null, query: '' });
  setQuery('');
  rebuild();
}

function zoomTo(drawn) {
  if (drawn.paneNumber === 1 || state.mode === 'sandwich') sandwich(drawn.pane.view.frame[drawn.box]);
  else if (drawn.box !== state.zoomed) go({ zoomed: drawn.box });
}

function sandwich(frame) {
  if (frame >= 0) go({ mode: 'sandwich', frame, zoomed: 0 });
}

function setMode(mode) {
  if (mode === 'sandwich') {
    const chosen = focused ?? panes[0].boxes.find((drawn) => drawn.box === state.zoomed);
    const frame = chosen ? chosen.pane.view.frame[chosen.box] : -1;
    if (state.mode === 'sandwich') go({ mode: 'flame', zoomed: 0 });
    else if (frame >= 0) sandwich(frame);
    else tell('choose a function first: Tab or click, then s');
  } else if (mode === 'chart' && !entries) tell('no times in this picture');
  else go({ mode: state.mode === mode ? 'flame' : mode, zoomed: 0 });
}

function toggleHeat() {
  if (!heat) tell('no times in this picture');
  else {
    go({ heat: !state.heat, ...(state.heat && { range: null }) });
    if (state.heat) window.scrollTo(0, 0);
  }
}

function setQuery(text) {
  state.query = text;
  if (input.value !== text) input.value = text;
  try {
    pattern = text === '' ? null : new RegExp(text, state.cased ? 'u' : 'iu');
    byId('matched').classList.remove('wrong');
  } catch {
    pattern = null;
    byId('matched').textContent = `not a regular expression: ${text}`;
    byId('matched').classList.add('wrong');
    return;
  }
  showMatches();
  writeHash();
}

/** Marks the boxes that match; the share is of what is zoomed into, a match below another match counts once. */
function showMatches() {
  const hits = pattern && model.names.map((name) => pattern.test(name));
  for (const drawn of panes.flatMap((pane) => pane.boxes)) {
    const frame = drawn.pane.view.frame[drawn.box];
    drawn.hit = hits !== null && frame >= 0 && hits[frame];
    drawn.group.classList.toggle('match', drawn.hit);
  }
  const matched = byId('matched');
  if (!hits) {
    if (!matched.classList.contains('wrong')) matched.textContent = '';
    return;
  }
  const { view } = panes[0];
  const inside = new Uint8Array(view.frame.length);
  let sum = 0;
  inside[state.zoomed] = view.frame[state.zoomed] >= 0 && hits[view.frame[state.zoomed]] ? 2 : 1;
  if (inside[state.zoomed] === 2) sum = view.total[state.zoomed];
  for (let box = state.zoomed + 1; box < view.frame.length; box += 1) {
    const above = inside[view.parent[box]];
    if (above === 0) continue;
    inside[box] = above;
    if (above === 1 && hits[view.frame[box]]) {
      inside[box] = 2;
      sum += view.total[box];
    }
  }
  const all = view.total[state.zoomed];
  matched.textContent = `matched ${shareText(sum, all)} (${weightText(sum, model.unit)})`;
}

function nextMatch(step) {
  const boxes = panes.flatMap((pane) => pane.boxes).filter((drawn) => drawn.hit && !drawn.ancestor);
  boxes.sort((a, b) => a.paneNumber - b.paneNumber || a.start - b.start || a.depth - b.depth);
  if (!boxes.length) return;
  const at = focused ? boxes.indexOf(focused) : -1;
  boxes.at((at + step + boxes.length) % boxes.length).group.focus();
}

/** The folded line of the focused box. */
function copyStack() {
  if (!focused) {
    tell('choose a box first: Tab or click, then c');
    return;
  }
  const { view } = focused.pane;
  const frames = stackOf(view, focused.box).reverse();
  const line = foldedLine(
    frames.map((frame) => frameOf(model, frame).name),
    view.total[focused.box],
  );
  const said = (word) => {
    tell(`${word}: ${line}`);
  };
  if (navigator.clipboard)
    navigator.clipboard.writeText(line).then(
      () => said('copied'),
      () => said('stack'),
    );
  else said('stack');
}

function neighbour(drawn, key) {
  const boxes = drawn.pane.boxes;
  const away = (key === 'ArrowUp') === drawn.pane.upwards;
  if (key === 'ArrowLeft' || key === 'ArrowRight') {
    const row = boxes.filter((each) => each.depth === drawn.depth).sort((a, b) => a.start - b.start);
    return row[row.indexOf(drawn) + (key === 'ArrowLeft' ? -1 : 1)];
  }
  const { view } = drawn.pane;
  if (!away)
    return (
      boxes.find((each) => each.box === view.parent[drawn.box]) ??
      panes.find((pane) => pane !== drawn.pane)?.boxes[0]
    );
  const children = boxes.filter((each) => view.parent[each.box] === drawn.box);
  return children.sort((a, b) => view.total[b.box] - view.total[a.box])[0];
}

const HELP =
  'click or Enter: zoom · Backspace: back · Esc: reset · / search, n N next · i: icicle · s: sandwich · t: in time order · h: heat map · c: copy stack · arrows: walk';

function showState() {
  const parts = [];
  if (state.mode === 'icicle') parts.push('icicle: callers above');
  if (state.mode === 'sandwich')
    parts.push(`sandwich: callers above, callees below ${frameOf(model, state.frame).name}`);
  if (state.mode === 'chart') parts.push('in time order, thread by thread');
  if (state.range) {
    const total = panes[0].view.total[0];
    parts.push(
      `${state.range[0].toFixed(2)} s to ${state.range[1].toFixed(2)} s: ${weightText(total, model.unit)}`,
    );
  }
  byId('state').textContent = cut(parts.join(' · '), widthOf() - 2 * SIDE);
  byId('back').setAttribute('visibility', trail.length || state.zoomed ? 'visible' : 'hidden');
  byId('reset').setAttribute(
    'visibility',
    trail.length || state.zoomed || state.range || state.mode !== 'flame' ? 'visible' : 'hidden',
  );
  writeHash();
}

function writeHash() {
  const words = new URLSearchParams();
  if (state.mode !== 'flame') words.set('view', state.mode);
  if (state.mode === 'sandwich') words.set('frame', state.frame);
  if (state.zoomed) words.set('zoom', state.zoomed);
  if (state.range) words.set('range', state.range.map((each) => each.toFixed(4)).join('-'));
  if (state.heat) words.set('heat', '1');
  if (state.query) words.set('search', state.query);
  if (state.cased) words.set('case', '1');
  const text = words.toString();
  try {
    history.replaceState(null, '', text ? `#${text}` : location.pathname + location.search);
  } catch {
    // Some viewers show the picture where its address cannot be changed.
  }
}

function readHash() {
  const words = new URLSearchParams(location.hash.slice(1));
  const number = (key, most) => {
    const value = Number(words.get(key) ?? 0);
    return Number.isInteger(value) && value >= 0 && value < most ? value : 0;
  };
  const view = words.get('view');
  if (view === 'icicle' || (view === 'chart' && entries)) state.mode = view;
  if (view === 'sandwich') Object.assign(state, { mode: view, frame: number('frame', model.names.length) });
  const range = (words.get('range') ?? '').split('-').map(Number);
  if (heat && range.length === 2 && range[1] > range[0]) state.range = range;
  state.heat = heat !== undefined && words.get('heat') === '1';
  state.cased = words.get('case') === '1';
  state.zoomed = number('zoom', Number.POSITIVE_INFINITY);
  state.query = words.get('search') ?? '';
}

const input = element('html:input', {
  id: 'query',
  type: 'search',
  placeholder: 'search (regular expression)',
  'aria-label': 'search functions by regular expression',
});

/** The parts of the head, as `layHead` wants them. */
const headParts = {
  title: { node: title, text: title.textContent },
  facts,
  controls,
  details,
  legend: byId('legend'),
};

function buildControls() {
  const group = element('g', { id: 'controls' });
  const put = (node, wide, rise) => {
    group.append(node);
    controls.push({ node, wide, rise });
  };
  const add = (id, words, hint, press) => put(button(id, words, hint, press), words.length * 7.2 + 14, 0);
  put(element('foreignObject', { width: 210, height: 22 }, input), 222, 15);
  add('case', 'Aa', 'tell capital from small letters in the search', () => {
    state.cased = !state.cased;
    byId('case').classList.toggle('on', state.cased);
    setQuery(state.query);
  });
  add('icicle', 'icicle', 'turn it over: the root above (i)', () => setMode('icicle'));
  if (!model.comparison) {
    add('sandwich', 'sandwich', 'callers and callees of a function (s)', () => setMode('sandwich'));
    if (entries) add('chart', 'time', 'in the order of time (t)', () => setMode('chart'));
    if (heat) add('heatmap', 'heat map', 'samples over time; select a part (h)', toggleHeat);
  }
  add('help', '?', 'the keys (?)', () => {
    tell(HELP);
  });
  add('back', 'back', 'back (Backspace)', back);
  add('reset', 'reset', 'all of it again (Esc)', reset);
  headParts.matched = element('text', { id: 'matched', class: 'matched', 'aria-live': 'polite' });
  headParts.state = element('text', { id: 'state', class: 'subtitle state', x: SIDE, 'aria-live': 'polite' });
  group.append(headParts.matched, headParts.state);
  byId('head').append(group);
  details.setAttribute('aria-live', 'polite');
}

input.addEventListener('input', () => setQuery(input.value));
input.addEventListener('keydown', (event) => {
  event.stopPropagation();
  if (event.key === 'Enter') nextMatch(1);
  if (event.key === 'Escape') {
    setQuery('');
    input.blur();
  }
});

const KEYS = {
  Escape: reset,
  Backspace: back,
  '/': () => input.focus(),
  i: () => setMode('icicle'),
  s: () => !model.comparison && setMode('sandwich'),
  t: () => !model.comparison && setMode('chart'),
  h: () => !model.comparison && toggleHeat(),
  c: copyStack,
  n: () => nextMatch(1),
  N: () => nextMatch(-1),
  '?': () => {
    tell(HELP);
  },
};

window.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith('Arrow'))
    (focused
      ? neighbour(focused, event.key)
      : panes[0].boxes.find((each) => each.box === state.zoomed)
    )?.group.focus();
  else if (event.key === 'Enter' && focused) zoomTo(focused);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});
window.addEventListener('resize', draw);
// Title, controls and details stay in sight of a picture that is higher than the window.
window.addEventListener('scroll', () =>
  byId('head').setAttribute('transform', `translate(0 ${window.scrollY})`),
);

buildControls();
readHash();
rebuild();
if (state.query) setQuery(state.query);
// The root is below, and what is wide.
if (panes[0].upwards) window.scrollTo(0, document.documentElement.scrollHeight);
