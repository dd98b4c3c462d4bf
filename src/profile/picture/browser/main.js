// The browser half of the picture: zoom, search, views and keyboard. Without it the picture still shows the whole graph.

import {
  BOTTOM,
  boxText,
  changeMark,
  changeText,
  colourOf,
  cut,
  KINDS,
  LABEL_DOWN,
  LABEL_LEFT,
  LETTER,
  PATTERN_WIDTH,
  ROW,
  SIDE,
  shareText,
  thinText,
  weightText,
} from './appearance.js';
import { button, element } from './elements.js';
import { layHead, sayAll } from './head.js';
import { drawHeat, heatOf } from './heat.js';
import { layOut, visibleBoxes } from './layout.js';
import { entriesOf, frameOf, readModel } from './model.js';
import { chartView, sandwichViews, selfBetween, stackOf, wholeView } from './views.js';

const LEAST_PIXELS = 0.5;
/** If the keyboard moves to a box that is narrower than the first width, the picture zooms until it has the second. */
const SEEN_PIXELS = 2;
const ZOOMED_PIXELS = 60;

/**
 * The picture that this script is in. A page may hold several pictures: then none of them may use the page's address, or
 * listen to all of its keys.
 */
const svg = document.currentScript.closest('svg');
const byId = (id) => svg.querySelector(`#${id}`);
const isAlone = svg === document.documentElement;
const framesGroup = byId('frames');
const details = byId('details');
const model = readModel(byId('gkeprof-data').textContent);
const entries = model.comparison ? undefined : entriesOf(model);
const heat = entries && entries.at.length > 0 ? heatOf(entries) : undefined;
const title = svg.querySelector('.title');
/** The lines below the title. The last of them is the note on boxes that are not drawn. */
const facts = [...svg.querySelectorAll('.subtitle')].map((node) => ({ node, text: node.textContent }));
const noteFact = facts.at(-1);
/** The elements in the row of controls, each with its width and how far above the base line it begins. */
const controls = [];

/**
 * What is shown. `scope` is the box that the user zoomed into: search and arrow keys stay within it. `zoomed` is a box below
 * `scope` if they have reached one that would be too narrow otherwise. `trail` holds the earlier states for Back.
 */
const state = {
  mode: 'flame',
  zoomed: 0,
  scope: 0,
  frame: -1,
  range: null,
  heat: false,
  query: '',
  cased: false,
};
let trail = [];
/** The one view, or the two views of a sandwich, one above the other, with the boxes that are drawn. */
let panes = [];
/** For each frame, whether its name matches the search; null without a search. */
let hits = null;
let focused = null;
/** The box that the details describe: the one that the pointer or the focus was on last. */
let told = null;
/** The box that search or the arrow keys reached last, and the drawn box that got the focus for it. */
let reached = null;

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

function tell(text) {
  sayAll(byId('head'), details, { name: '', text }, SIDE, widthOf());
}

function tellBox(drawn) {
  told = drawn;
  const { name, text } = drawn;
  sayAll(byId('head'), details, { name, text: text.slice(name.length) }, SIDE, widthOf());
}

/** The mode, function and range that the present views were made for. */
let made = '';

/** Draws the state. The views are made anew only for another mode, function or range. */
function rebuild() {
  const wanted = JSON.stringify([state.mode, state.frame, state.range]);
  if (wanted !== made) panes = makePanes();
  made = wanted;
  if (state.zoomed >= panes[0].view.frame.length || panes[0].view.total[state.zoomed] <= 0)
    state.zoomed = state.scope = 0;
  draw();
}

function draw() {
  const width = widthOf();
  const inner = width - 2 * SIDE;
  const hold = focused && { name: focused.name, depth: focused.depth, start: focused.start };
  // Rows are added and removed above the root, so the root keeps its place in the window.
  const below = document.documentElement.scrollHeight - window.scrollY;
  const seen = panes.map((pane, at) => {
    pane.zoomed = at === 0 ? state.zoomed : 0;
    return visibleBoxes(pane.view, pane.place, pane.zoomed, LEAST_PIXELS / inner);
  });
  const sum = (of) => seen.reduce((all, each) => all + of(each), 0);
  noteFact.text = thinText(
    sum((each) => each.hidden),
    sum((each) => each.hiddenWeight),
    // The weight of what fills the width, in all views.
    panes.reduce((all, { view, zoomed }) => all + view.total[zoomed], 0),
    'half a pixel',
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
  const height = y + BOTTOM;
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('height', height);
  if (isAlone && panes[0].upwards) window.scrollTo(0, document.documentElement.scrollHeight - below);
  showMatches();
  showState();
  focused = told = reached = null;
  const again = hold && panes.flatMap((pane) => pane.boxes).find((box) => sameBox(box, hold));
  if (again) again.group.focus({ preventScroll: true });
  else if (panes[0].boxes[0]) panes[0].boxes[0].group.setAttribute('tabindex', '0');
}

const sameBox = (box, hold) => box.name === hold.name && box.depth === hold.depth && box.start === hold.start;

function drawBox(pane, paneNumber, box, ancestor, inner, y, rows) {
  const { view, place, zoomed, upwards } = pane;
  const frame = frameOf(model, view.frame[box]);
  const depth = place.depth[box];
  const scale = view.total[zoomed] > 0 ? inner / view.total[zoomed] : 0;
  const x = ancestor ? SIDE : SIDE + (place.start[box] - place.start[zoomed]) * scale;
  const wide = ancestor || zoomed === box ? inner : view.total[box] * scale;
  const boxY = upwards ? y + (rows - 1 - depth) * ROW : y + depth * ROW;
  const change = model.comparison && changeOf(box, view.frame[box]);
  const text = textOf(pane, box, ancestor);
  const label = change ? `${change.sign} ${frame.name}` : frame.name;
  const shown = cut(label, wide);
  const { pattern } = KINDS[frame.kind];
  const fill = change ? change.fill : colourOf(frame);
  const rect = { x: x.toFixed(2), y: boxY, width: wide.toFixed(2), height: ROW - 1 };
  const group = element(
    'g',
    {
      class: `frame ${frame.kind}${ancestor ? ' parent' : ''}`,
      role: 'treeitem',
      tabindex: -1,
      'aria-level': depth + 1,
      'aria-label': text,
      'data-name': frame.name,
    },
    element('title', {}, text),
    element('rect', { class: 'box', ...rect, fill }),
    ...(pattern && wide >= PATTERN_WIDTH
      ? [element('rect', { class: 'pattern', ...rect, fill: `url(#${pattern})` })]
      : []),
    ...(shown ? [element('text', { x: (x + LABEL_LEFT).toFixed(2), y: boxY + LABEL_DOWN }, shown)] : []),
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
    wide,
  };
  group.addEventListener('click', () => zoomTo(drawn));
  group.addEventListener('focus', () => {
    focused?.group.setAttribute('tabindex', '-1');
    focused = drawn;
    group.setAttribute('tabindex', '0');
    tellBox(drawn);
  });
  group.addEventListener('mouseenter', () => tellBox(drawn));
  return drawn;
}

/** The description of a box. An ancestor is not a part of the zoomed box, so it has only its share of the whole. */
function textOf({ view, zoomed }, box, ancestor) {
  const frame = frameOf(model, view.frame[box]);
  const change = model.comparison && changeOf(box, view.frame[box]);
  if (change)
    return changeText(frame, change.before, change.after, model.unit, change.beforeAll, change.afterAll);
  const share = view.total[ancestor ? 0 : zoomed];
  return boxText(frame, view.total[box], view.self[box], model.unit, view.total[0], share);
}

const sums = model.comparison && {
  before: wholeView(model, model.beforeSelf).total,
  after: wholeView(model, model.afterSelf).total,
};

/** How a box has changed. Where changes were tested, only those that are significant have a sign and a colour. */
function changeOf(box, frame) {
  if (state.mode === 'sandwich') return null;
  const [before, after] = [sums.before[box], sums.after[box]];
  const comparable = before * model.data.beforeFactor;
  const mark = changeMark(comparable, after, !model.changed || model.changed.has(frame));
  return { before, after, ...mark, beforeAll: sums.before[0], afterAll: sums.after[0] };
}

/** Changes the state, and puts the state before on the trail. */
function go(change) {
  trail.push({ ...state });
  Object.assign(state, change);
  if ('zoomed' in change) state.scope = state.zoomed;
  rebuild();
  // A range is selected in the heat map, which has to stay in view.
  if (!('range' in change)) scrollHome();
}

function back() {
  const before = trail.pop();
  const { query, cased } = state;
  if (before) Object.assign(state, before, { query, cased });
  else state.zoomed = state.scope = 0;
  rebuild();
  scrollHome();
}

function reset() {
  trail = [];
  Object.assign(state, { mode: 'flame', zoomed: 0, scope: 0, frame: -1, range: null, query: '' });
  setQuery('');
  rebuild();
  scrollHome();
}

/** Scrolls to the root at the bottom or at the top, or to the zoomed box if that would then be out of view. */
function scrollHome() {
  const [{ upwards, boxes }] = panes;
  if (isAlone) window.scrollTo(0, upwards ? document.documentElement.scrollHeight : 0);
  const drawn = boxes.find((each) => each.box === state.zoomed);
  if (drawn) reveal(drawn, upwards ? 'end' : 'start');
}

/**
 * Scrolls a box into view, to the nearer edge of the window or to the given one. The upper edge is that of the head, which
 * covers the boxes under it.
 */
function reveal({ group }, edge) {
  const box = group.getBoundingClientRect();
  const top = headHeight();
  const [toTop, toBottom] = [box.top - top, box.bottom - window.innerHeight];
  if (toTop >= 0 && toBottom <= 0) return;
  const isAbove = edge ? edge === 'start' : toTop < 0;
  window.scrollBy(0, isAbove ? toTop : toBottom);
}

const headHeight = () => Number(byId('head').querySelector('.background').getAttribute('height'));

/**
 * Gives the focus to a box of a view. If the box is too narrow to be seen, the picture zooms just so far that it is wide
 * enough; in a view that cannot be zoomed, its nearest drawn ancestor gets the focus.
 */
function show(pane, box) {
  let drawn = pane.boxes.find((each) => each.box === box);
  if (!drawn || drawn.wide < SEEN_PIXELS) {
    if (panes.length === 1) zoomAround(pane, box);
    for (let at = box; at >= 0; at = pane.view.parent[at]) {
      drawn = pane.boxes.find((each) => each.box === at);
      if (drawn) break;
    }
  }
  drawn.group.focus({ preventScroll: true });
  reveal(drawn);
  if (drawn.box !== box)
    tell(`${textOf(pane, box, false)}: too narrow to be drawn, it is inside the marked box`);
  reached = { pane, box, drawn };
}

/** Zooms until a box is wide enough, and stays within the box that the user zoomed into. */
function zoomAround({ view }, box) {
  const inner = widthOf() - 2 * SIDE;
  let around = box;
  while (
    around !== state.scope &&
    (view.total[box] / view.total[view.parent[around]]) * inner >= ZOOMED_PIXELS
  )
    around = view.parent[around];
  if (around === state.zoomed) return;
  if (state.zoomed === state.scope) trail.push({ ...state });
  state.zoomed = around;
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
    const chosen = told ?? panes[0].boxes.find((drawn) => drawn.box === state.zoomed);
    const frame = chosen ? chosen.pane.view.frame[chosen.box] : -1;
    if (state.mode === 'sandwich') go({ mode: 'flame', zoomed: 0 });
    else if (frame >= 0) sandwich(frame);
    else tell('select a function first (Tab or click), then press s');
  } else if (mode === 'chart' && !entries) tell('this profile has no sample times');
  else go({ mode: state.mode === mode ? 'flame' : mode, zoomed: 0 });
}

function toggleHeat() {
  if (!heat) tell('this profile has no sample times');
  else {
    go({ heat: !state.heat, ...(state.heat && { range: null }) });
    if (state.heat) window.scrollTo(0, 0);
  }
}

function setQuery(text) {
  state.query = text;
  if (input.value !== text) input.value = text;
  try {
    const pattern = text === '' ? null : new RegExp(text, state.cased ? 'u' : 'iu');
    hits = pattern && model.names.map((name) => pattern.test(name));
    byId('matched').classList.remove('wrong');
  } catch {
    hits = null;
    byId('matched').textContent = `not a regular expression: ${text}`;
    byId('matched').classList.add('wrong');
  }
  showMatches();
  writeHash();
}

const isHit = (view, box) => view.frame[box] >= 0 && hits[view.frame[box]];

/**
 * Marks the boxes that match, and those that contain a match that is not drawn. The share is that of the box which the user
 * zoomed into; a match within another match counts once.
 */
function showMatches() {
  for (const pane of panes) markMatches(pane);
  for (const id of ['previous', 'next']) byId(id).setAttribute('visibility', hits ? 'visible' : 'hidden');
  const matched = byId('matched');
  if (!hits) {
    if (!matched.classList.contains('wrong')) matched.textContent = '';
    return;
  }
  const { view } = panes[0];
  const inside = new Uint8Array(view.frame.length);
  let sum = 0;
  inside[state.scope] = isHit(view, state.scope) ? 2 : 1;
  if (inside[state.scope] === 2) sum = view.total[state.scope];
  for (let box = state.scope + 1; box < view.frame.length; box += 1) {
    const above = inside[view.parent[box]];
    if (above === 0) continue;
    inside[box] = above;
    if (above === 1 && isHit(view, box)) {
      inside[box] = 2;
      sum += view.total[box];
    }
  }
  const all = view.total[state.scope];
  matched.textContent = `matched ${shareText(sum, all)} (${weightText(sum, model.unit)})`;
}

function markMatches({ view, boxes }) {
  const holds = new Set();
  if (hits) {
    // For each box, the nearest drawn box: itself or an ancestor. Parents come before their children.
    const nearest = new Int32Array(view.frame.length).fill(-1);
    for (const { box } of boxes) nearest[box] = box;
    for (let box = 1; box < nearest.length; box += 1) {
      if (nearest[box] === box) continue;
      nearest[box] = nearest[view.parent[box]];
      if (view.total[box] > 0 && isHit(view, box)) holds.add(nearest[box]);
    }
  }
  for (const { box, group, ancestor } of boxes) {
    group.classList.toggle('match', hits !== null && isHit(view, box));
    group.classList.toggle('holds', !ancestor && holds.has(box));
  }
}

/** The boxes within a box that match, in the order in which `n` goes through them. */
function matchesIn({ view, place }, scope) {
  const inside = new Uint8Array(view.frame.length);
  inside[scope] = 1;
  const found = isHit(view, scope) ? [scope] : [];
  for (let box = scope + 1; box < inside.length; box += 1) {
    inside[box] = inside[view.parent[box]];
    if (inside[box] && view.total[box] > 0 && isHit(view, box)) found.push(box);
  }
  return found.sort((a, b) => place.start[a] - place.start[b] || place.depth[a] - place.depth[b]);
}

function nextMatch(step) {
  if (!hits) return;
  const matches = panes.flatMap((pane, at) =>
    matchesIn(pane, at === 0 ? state.scope : 0).map((box) => ({ pane, box })),
  );
  if (!matches.length) return;
  const from = reached && reached.drawn === focused ? reached : focused;
  const at = from ? matches.findIndex(({ pane, box }) => pane === from.pane && box === from.box) : -1;
  const to = at < 0 ? (step > 0 ? 0 : -1) : (at + step) % matches.length;
  const { pane, box } = matches.at(to);
  show(pane, box);
}

/** Copies the stack of the box that the details describe, as a folded line. */
function copyStack() {
  if (!told) {
    tell('select a box first (Tab or click), then press c');
    return;
  }
  const { view } = told.pane;
  const frames = stackOf(view, told.box).reverse();
  const names = frames.map((frame) => frameOf(model, frame).name);
  copy(`${names.join(';')} ${Math.round(view.total[told.box] * 100) / 100}`, 'stack');
}

/** Copies only the name of that box, in full length. */
function copyName() {
  if (told) copy(told.name, 'name');
  else tell('select a box first (Tab or click), then press C');
}

/** Copies a text and reports it. Where the browser does not allow that, the text is shown, so that the user can copy it. */
function copy(text, what) {
  const said = (word) => {
    tell(`${word}: ${text}`);
  };
  if (navigator.clipboard)
    navigator.clipboard.writeText(text).then(
      () => said('copied'),
      () => said(what),
    );
  else said(what);
}

/** Moves the focus to the next box in a direction: to one that is drawn, or else to one that is too narrow to be drawn. */
function walk(drawn, key) {
  const { pane, box } = drawn;
  const next = neighbour(drawn, key);
  if (next) {
    next.group.focus({ preventScroll: true });
    reveal(next);
    return;
  }
  const hidden = panes.length === 1 ? hiddenNeighbour(pane, box, key) : -1;
  if (hidden >= 0) show(pane, hidden);
}

function neighbour(drawn, key) {
  const boxes = drawn.pane.boxes;
  const { view, upwards } = drawn.pane;
  if (key === 'ArrowLeft' || key === 'ArrowRight') {
    const row = boxes.filter((each) => each.depth === drawn.depth).sort((a, b) => a.start - b.start);
    return row[row.indexOf(drawn) + (key === 'ArrowLeft' ? -1 : 1)];
  }
  if ((key === 'ArrowUp') !== upwards)
    return (
      boxes.find((each) => each.box === view.parent[drawn.box]) ??
      panes.find((pane) => pane !== drawn.pane)?.boxes[0]
    );
  const children = boxes.filter((each) => view.parent[each.box] === drawn.box);
  return children.sort((a, b) => view.total[b.box] - view.total[a.box])[0];
}

/** The next box that is not drawn: the nearest one of the row within `state.scope`, or the widest child; -1 if there is none. */
function hiddenNeighbour({ view, place, upwards }, from, key) {
  const { start, depth } = place;
  const isSide = key === 'ArrowLeft' || key === 'ArrowRight';
  if (!isSide && (key === 'ArrowUp') !== upwards) return -1;
  const inside = new Uint8Array(view.frame.length);
  inside[state.scope] = 1;
  let best = -1;
  for (let box = state.scope + 1; box < inside.length; box += 1) {
    inside[box] = inside[view.parent[box]];
    if (!inside[box] || view.total[box] <= 0) continue;
    if (!isSide) {
      if (view.parent[box] === from && (best < 0 || view.total[box] > view.total[best])) best = box;
    } else if (depth[box] === depth[from]) {
      const away = key === 'ArrowRight' ? start[box] - start[from] : start[from] - start[box];
      if (away > 0 && (best < 0 || away < Math.abs(start[best] - start[from]))) best = box;
    }
  }
  return best;
}

const HELP =
  'click or Enter: zoom · Backspace: back · Esc: reset · /: search · n, N: next and previous match · i: icicle · s: sandwich (callers and callees) · t: time order · h: heat map · c: copy the stack · C: copy the name · arrow keys: move';

function showState() {
  const parts = [];
  if (state.mode === 'icicle') parts.push('icicle: callers above');
  if (state.mode === 'sandwich')
    parts.push(`sandwich: callers above and callees below ${frameOf(model, state.frame).name}`);
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
  if (!isAlone) return;
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
    // Some viewers do not allow the address to be changed.
  }
}

function readHash() {
  if (!isAlone) return;
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
  state.zoomed = state.scope = number('zoom', Number.POSITIVE_INFINITY);
  state.query = words.get('search') ?? '';
}

const input = element('html:input', {
  id: 'query',
  type: 'search',
  placeholder: 'search (regular expression)',
  'aria-label': 'search functions by regular expression',
});

/** The parts of the head that `layHead` lays out. */
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
  const add = (id, words, hint, press) => put(button(id, words, hint, press), words.length * LETTER + 14, 0);
  put(element('foreignObject', { width: 210, height: 22 }, input), 222, 15);
  add('case', 'Aa', 'match case in the search', () => {
    state.cased = !state.cased;
    byId('case').classList.toggle('on', state.cased);
    setQuery(state.query);
  });
  add('previous', '\u2039', 'previous match (N)', () => nextMatch(-1));
  add('next', '\u203a', 'next match (n)', () => nextMatch(1));
  add('icicle', 'icicle', 'icicle graph: the root is at the top (i)', () => setMode('icicle'));
  if (!model.comparison) {
    add('sandwich', 'sandwich', 'callers and callees of a function (s)', () => setMode('sandwich'));
    if (entries) add('chart', 'time', 'samples in time order, thread by thread (t)', () => setMode('chart'));
    if (heat)
      add('heatmap', 'heat map', 'samples over time: select a range to see only its stacks (h)', toggleHeat);
  }
  add('help', '?', 'keyboard shortcuts (?)', () => {
    tell(HELP);
  });
  add('back', 'back', 'go back one step (Backspace)', back);
  add('reset', 'reset', 'reset to the whole profile (Esc)', reset);
  headParts.matched = element('text', { id: 'matched', class: 'matched', 'aria-live': 'polite' });
  headParts.state = element('text', { id: 'state', class: 'subtitle state', x: SIDE, 'aria-live': 'polite' });
  group.append(headParts.matched, headParts.state);
  byId('head').append(group);
  details.setAttribute('aria-live', 'polite');
  details.append(element('text', { id: 'details-name' }), element('text', {}));
}

input.addEventListener('input', () => setQuery(input.value));
input.addEventListener('keydown', (event) => {
  event.stopPropagation();
  if (event.key === 'Enter') nextMatch(event.shiftKey ? -1 : 1);
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
  C: copyName,
  n: () => nextMatch(1),
  N: () => nextMatch(-1),
  '?': () => {
    tell(HELP);
  },
};

(isAlone ? window : svg).addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith('Arrow')) {
    if (focused) walk(focused, event.key);
    else panes[0].boxes.find((each) => each.box === state.zoomed)?.group.focus();
  } else if (event.key === 'Enter' && focused) zoomTo(focused);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});
window.addEventListener('resize', draw);
// Title, controls and details stay in view where the picture is higher than the window.
window.addEventListener('scroll', () => {
  const { top, height } = svg.getBoundingClientRect();
  byId('head').setAttribute(
    'transform',
    `translate(0 ${Math.max(0, Math.min(-top, height - headHeight()))})`,
  );
});

buildControls();
readHash();
rebuild();
if (state.query) setQuery(state.query);
if (isAlone) scrollHome();
