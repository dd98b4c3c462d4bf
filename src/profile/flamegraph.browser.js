// The browser half of the flame graph: zoom, search, details, keyboard. The picture is complete without it.
(() => {
  const svg = document.getElementById('flamegraph');
  const frames = [...document.querySelectorAll('#frames > .frame')];
  const details = document.getElementById('details');
  const matched = document.getElementById('matched');
  const reset = document.getElementById('reset');
  const side = Number(svg.dataset.side);
  const inner = Number(svg.dataset.width) - 2 * side;
  const idle = details.textContent;
  const boxes = frames.map((element) => ({
    element,
    start: Number(element.dataset.s),
    count: Number(element.dataset.n),
    depth: Number(element.dataset.d),
    name: element.dataset.name,
    title: element.querySelector('title').textContent,
    rects: element.querySelectorAll('rect'),
    text: element.querySelector('text'),
    shown: true,
  }));
  const byElement = new Map(boxes.map((box) => [box.element, box]));
  let zoomed = boxes[0];
  let pattern = null;

  const within = (box, outer) =>
    box.start >= outer.start && box.start + box.count <= outer.start + outer.count;

  function zoom(target) {
    zoomed = target;
    const scale = inner / Math.max(1, target.count);
    for (const box of boxes) {
      const parent = box.depth < target.depth && within(target, box);
      box.shown = parent || (box.depth >= target.depth && within(box, target));
      box.element.style.display = box.shown ? '' : 'none';
      box.element.classList.toggle('parent', parent);
      if (!box.shown) continue;
      const x = parent ? side : side + (box.start - target.start) * scale;
      const width = parent ? inner : box.count * scale;
      for (const rect of box.rects) {
        rect.setAttribute('x', x);
        rect.setAttribute('width', width);
      }
      box.text.setAttribute('x', x + 3);
      box.text.textContent = label(box.name, width);
    }
    reset.setAttribute('visibility', target === boxes[0] ? 'hidden' : 'visible');
    search(pattern);
  }

  function label(name, width) {
    const letters = Math.floor((width - 6) / 7.2);
    if (letters < 3) return '';
    const all = [...name];
    return all.length <= letters ? name : `${all.slice(0, letters - 2).join('')}..`;
  }

  // Widths of matches are summed without counting a match below another match twice.
  function search(regexp) {
    pattern = regexp;
    let covered = 0;
    let until = -1;
    const sorted = [...boxes].sort((a, b) => a.start - b.start || a.depth - b.depth);
    for (const box of sorted) {
      const hit = regexp !== null && box.depth > 0 && regexp.test(box.name);
      box.element.classList.toggle('match', hit);
      if (!hit || !within(box, zoomed)) continue;
      const from = Math.max(box.start, until);
      const end = box.start + box.count;
      if (end > from) {
        covered += end - from;
        until = end;
      }
    }
    matched.textContent =
      regexp === null
        ? ''
        : `matched ${((100 * covered) / Math.max(1, zoomed.count)).toFixed(2)} % · /${regexp.source}/`;
  }

  function ask() {
    const text = window.prompt('Search for (regular expression, any case):', pattern ? pattern.source : '');
    if (text === null) return;
    if (text === '') return search(null);
    try {
      search(new RegExp(text, 'i'));
    } catch {
      matched.textContent = `not a regular expression: ${text}`;
    }
  }

  function show(box) {
    details.textContent = box ? box.title : idle;
  }

  function neighbour(box, key) {
    const shown = boxes.filter((each) => each.shown);
    const row = shown.filter((each) => each.depth === box.depth).sort((a, b) => a.start - b.start);
    const at = row.indexOf(box);
    if (key === 'ArrowLeft') return row[at - 1];
    if (key === 'ArrowRight') return row[at + 1];
    if (key === 'ArrowDown') return shown.find((each) => each.depth === box.depth - 1 && within(box, each));
    return shown
      .filter((each) => each.depth === box.depth + 1 && within(each, box))
      .sort((a, b) => b.count - a.count)[0];
  }

  const boxOf = (event) => byElement.get(event.target.closest('.frame'));
  svg.addEventListener('mouseover', (event) => show(boxOf(event)));
  svg.addEventListener('focusin', (event) => show(boxOf(event)));
  svg.addEventListener('click', (event) => {
    const box = boxOf(event);
    if (box) zoom(box);
    else if (event.target.id === 'reset') zoom(boxes[0]);
    else if (event.target.id === 'search') ask();
  });
  window.addEventListener('keydown', (event) => {
    const focused = byElement.get(document.activeElement);
    if (event.key === '/' || (event.key === 'f' && (event.ctrlKey || event.metaKey))) ask();
    else if (event.key === 'Escape') {
      search(null);
      zoom(boxes[0]);
    } else if (event.key === 'Enter' && document.activeElement.id === 'search') ask();
    else if (event.key === 'Enter' && document.activeElement.id === 'reset') zoom(boxes[0]);
    else if (event.key === 'Enter' && focused) zoom(focused);
    else if (event.key.startsWith('Arrow'))
      (focused ? neighbour(focused, event.key) : zoomed)?.element.focus();
    else return;
    event.preventDefault();
  });
  frames[0].setAttribute('tabindex', '0');
})();
