// Lays out what is above the graph for a given width: title, facts, controls and legend.
import { cut, FACT_LETTER, FACTS_DOWN, LEGEND_ENTRY, LINE, TITLE_DOWN, WIDTH } from './appearance.js';
import { element } from './elements.js';

const CONTROL_ROW = 24;
/** Width of a letter of the details, rounded up, so that no line is wider than the picture. */
const DETAIL_LETTER = 7.23;
/** How much larger the title is than the label of a box. */
const LARGER = 17 / 12;
/** Width of the text on what a search found. */
const MATCHED = 230;

/** The most lines of a name, or of a text, that the details show. The keys for copying take all of it. */
const MOST_LINES = 30;

/**
 * Splits a text into lines of at most so many letters: after a blank, or within a word that is longer than a line. The joined
 * lines are the text.
 */
function linesOf(text, letters) {
  const all = [...text];
  const lines = [];
  for (let from = 0; from < all.length; ) {
    let to = Math.min(all.length, from + Math.max(1, letters));
    // A blank may hang over the end of its line.
    const blank = to < all.length ? all.lastIndexOf(' ', to) : -1;
    if (blank >= from) to = blank + 1;
    lines.push(all.slice(from, to).join(''));
    from = to;
  }
  return lines;
}

const atMost = (lines) =>
  lines.length > MOST_LINES
    ? [...lines.slice(0, MOST_LINES - 1), `${lines[MOST_LINES - 1].slice(0, -2)}..`]
    : lines;

/** Writes lines one below the other, starting at `y`. Returns how many they are. */
function writeLines(node, lines, x, y) {
  node.replaceChildren(...lines.map((line, at) => element('tspan', { x, y: y + at * LINE }, line)));
  return lines.length;
}

/** The last text of the details, kept to lay it out again for another width. */
let lastSaid = { name: '', text: '' };

/**
 * Shows the description of a box, or a message, in the last lines of the head; a long text covers a part of the graph. The
 * name is an element of its own, so that it can be selected without the rest.
 */
export function sayAll(head, details, said, left, width) {
  lastSaid = said;
  const { name, text } = said;
  const y = Number(details.getAttribute('data-y'));
  const letters = Math.floor((width - 2 * left) / DETAIL_LETTER);
  const names = atMost(linesOf(name, letters));
  const [nameNode, textNode] = details.children;
  // A text that fits is on one line.
  const isOneLine = names.length === 1 && name.length + text.length <= letters;
  writeLines(nameNode, names, left, y);
  const below = isOneLine ? 0 : names.length;
  const lines = atMost(linesOf(text, letters));
  // A blank at the beginning of a text element has no width.
  const blank = text.startsWith(' ') ? DETAIL_LETTER : 0;
  const x = isOneLine ? left + nameNode.getComputedTextLength() + blank : left;
  writeLines(textNode, lines, x, y + below * LINE);
  const rows = below + lines.length;
  head.querySelector('.background').setAttribute('height', y + 6 + Math.max(0, rows - 1) * LINE);
}

/**
 * Lays out the head, and returns its height. `facts` are text elements with their texts. `controls` are the elements of the
 * row of controls, each with its width and how far above the base line it begins; what does not fit goes to another row.
 */
export function layHead(head, { title, facts, state, controls, matched, legend, details }, left, width) {
  const room = width - 2 * left;
  title.node.textContent = cut(title.text, room / LARGER);
  let lines = 0;
  for (const { node, text } of facts) {
    const [each, from] = [linesOf(text, Math.floor(room / FACT_LETTER)), FACTS_DOWN + lines * LINE];
    lines += writeLines(node, each, left, from);
  }
  let y = TITLE_DOWN + (lines + 1) * LINE;
  state.setAttribute('y', y + 3);
  y += CONTROL_ROW;
  let x = left;
  const put = (node, wide, rise) => {
    if (x > left && x + wide > left + room) {
      x = left;
      y += CONTROL_ROW;
    }
    node.setAttribute('x', x);
    node.setAttribute('y', y - rise);
    x += wide;
  };
  for (const { node, wide, rise } of controls) put(node, wide, rise);
  put(matched, MATCHED, 0);
  // The legend is at the right, in a row of its own if there is no room beside the controls.
  if (x + legend.querySelectorAll('text').length * LEGEND_ENTRY > left + room) y += CONTROL_ROW;
  legend.setAttribute('transform', `translate(${width - WIDTH} ${y - 10})`);
  details.setAttribute('data-y', y + 20);
  sayAll(head, details, lastSaid, left, width);
  return y + 30;
}
