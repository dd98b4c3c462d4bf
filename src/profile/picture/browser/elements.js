// Makes elements. A name becomes text or the value of an attribute, and never markup.

const SVG = 'http://www.w3.org/2000/svg';
const HTML = 'http://www.w3.org/1999/xhtml';

export function element(name, attributes, ...children) {
  const made = document.createElementNS(name.startsWith('html:') ? HTML : SVG, name.replace('html:', ''));
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== '') made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A word that works as a button, with the mouse and with the keyboard. */
export function button(id, words, hint, press) {
  const made = element(
    'text',
    { id, class: 'button', role: 'button', tabindex: 0, 'aria-label': hint },
    words,
    element('title', {}, hint),
  );
  made.addEventListener('click', press);
  made.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    press();
  });
  return made;
}
