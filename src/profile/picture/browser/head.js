// What stands above the picture, laid out for a width: title, facts, controls, legend.
import { element } from './elements.js';
import { cut } from './words.js';

const LINE = 15;
const CONTROL_ROW = 24;
/** Of a letter of the monospaced font at 11 px, at 12 px; and how much wider it is at 17 px than at 12. */
const LETTER = 6.63;
const DETAIL_LETTER = 7.23;
const LARGER = 17 / 12;
/** Of what a search found; of one entry of the legend. */
const MATCHED = 230;
const LEGEND_ENTRY = 88;

/** Writes a text in lines of at most so many letters, cut between words, from `y` on. Returns how many they are. */
function writeLines(node, text, letters, x, y) {
  const lines = [];
  for (const word of text === '' ? [] : text.split(' ')) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && longer.length <= letters) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  // The blank at the end of a line keeps the words apart for who copies the text.
  node.replaceChildren(
    ...lines.map((line, at) =>
      element('tspan', { x, y: y + at * LINE }, at < lines.length - 1 ? `${line} ` : line),
    ),
  );
  return lines.length;
}

/** Says what a box is, or what the keys are, in the last line of the head; a long text covers some of the picture. */
export function say(head, details, text, left, width) {
  const y = Number(details.getAttribute('y'));
  const lines = writeLines(details, text, Math.floor((width - 2 * left) / DETAIL_LETTER), left, y);
  head.querySelector('.background').setAttribute('height', y + 6 + Math.max(0, lines - 1) * LINE);
}

/**
 * Lays out the head, and returns how much room it takes. `facts` are text elements with their texts, `controls` the
 * elements of the row of controls, each with its width and where it begins above its base line; what does not fit begins
 * another row.
 */
export function layHead(head, { title, facts, state, controls, matched, legend, details }, left, width) {
  const room = width - 2 * left;
  title.node.textContent = cut(title.text, room / LARGER);
  let y = 24;
  for (const { node, text } of facts)
    y += LINE * writeLines(node, text, Math.floor(room / LETTER), left, y + LINE + 3);
  y += LINE;
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
  // The legend ends at the right, in a row of its own where there is no room beside the controls.
  if (x + legend.querySelectorAll('text').length * LEGEND_ENTRY > left + room) y += CONTROL_ROW;
  legend.setAttribute('transform', `translate(${width - 1200} ${y - 10})`);
  details.setAttribute('y', y + 20);
  say(head, details, details.textContent, left, width);
  return y + 30;
}
