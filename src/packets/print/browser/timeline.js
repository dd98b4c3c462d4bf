// The script of the timeline page: shows the figures of the step that the pointer or the keyboard is at, in all plots at
// once. Without it, each step of a plot has its figures as a title.
const SVG = 'http://www.w3.org/2000/svg';

const plots = [...document.querySelectorAll('.plot')].map((plot) => {
  const svg = plot.querySelector('svg');
  const texts = [...svg.querySelectorAll('.step')].map((step) => {
    const title = step.querySelector('title');
    // The browser would show the title too, on top of the plot.
    title.remove();
    return title.textContent;
  });
  const cursor = document.createElementNS(SVG, 'line');
  cursor.setAttribute('class', 'cursor');
  cursor.setAttribute('y2', '100');
  svg.append(cursor);
  return { svg, texts, cursor, readout: plot.querySelector('output') };
});

/** The step that is shown; -1 for none. */
let shown = -1;

function show(index) {
  shown = index;
  for (const { svg, texts, cursor, readout } of plots) {
    readout.textContent = texts[index] ?? '';
    cursor.setAttribute('visibility', index < 0 ? 'hidden' : 'visible');
    cursor.setAttribute('x1', index + 0.5);
    cursor.setAttribute('x2', index + 0.5);
    svg.setAttribute('aria-valuenow', Math.max(0, index));
    svg.setAttribute('aria-valuetext', texts[Math.max(0, index)]);
  }
}

for (const { svg, texts } of plots) {
  const last = texts.length - 1;
  const within = (index) => Math.max(0, Math.min(last, index));
  // To a screen reader a plot is a control whose value is the figures of a step.
  const control = { role: 'slider', tabindex: 0, 'aria-valuemin': 0, 'aria-valuemax': last };
  for (const [name, value] of Object.entries(control)) svg.setAttribute(name, value);
  const showAt = ({ clientX }) => {
    const { left, width } = svg.getBoundingClientRect();
    show(within(Math.floor(((clientX - left) / width) * texts.length)));
  };
  svg.addEventListener('pointermove', showAt);
  svg.addEventListener('pointerdown', showAt);
  svg.addEventListener('pointerleave', () => {
    if (!plots.some((plot) => plot.svg === document.activeElement)) show(-1);
  });
  svg.addEventListener('focus', () => show(within(shown)));
  svg.addEventListener('blur', () => show(-1));
  const far = Math.max(2, Math.round(texts.length / 10));
  const targets = {
    ArrowLeft: () => within(shown - 1),
    ArrowRight: () => within(shown + 1),
    PageDown: () => within(shown - far),
    PageUp: () => within(shown + far),
    Home: () => 0,
    End: () => last,
    Escape: () => -1,
  };
  svg.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(targets, event.key)) return;
    show(targets[event.key]());
    event.preventDefault();
  });
}
show(-1);
document.getElementById('keys').hidden = false;
