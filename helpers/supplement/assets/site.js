// What pages do beyond reading: fold and unfold code, sort tables, enlarge figures, filter items. Without this script
// code still unfolds, and a figure's link still opens its file.
'use strict';

const all = (query, root = document) => [...root.querySelectorAll(query)];
const element = (name, properties = {}, ...inside) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...inside);
  return made;
};

// --- Code: one button for all cells of a page.
for (const button of all('.show-code')) {
  const cells = all('details.code');
  if (!cells.length) continue;
  button.parentElement.hidden = false;
  const update = () => {
    const open = cells.every(cell => cell.open);
    button.setAttribute('aria-pressed', String(open));
    button.textContent = open ? 'Hide all code' : 'Show all code';
  };
  button.addEventListener('click', () => {
    const open = button.getAttribute('aria-pressed') !== 'true';
    for (const cell of cells) cell.open = open;
    update();
  });
  for (const cell of cells) cell.addEventListener('toggle', update);
}

// --- Tables: a button in each heading sorts by its column, up, down, and back to the order of the notebook.
const BLANK = new Set(['', '–', '—', '-', 'nan', 'NaN', 'None', '<NA>']);
const number = text => {
  const found = text.replace(/,/g, '').replace(/−/g, '-').match(/^[<>≈~]? ?([+-]?\d*\.?\d+(?:e[+-]?\d+)?)/i);
  return found ? Number(found[1]) : NaN;
};

function sortable(table) {
  const body = table.tBodies[0];
  const heads = table.tHead.rows[table.tHead.rows.length - 1].cells;
  const rows = [...body.rows];
  if (rows.some(row => row.cells.length !== heads.length)) return;
  const text = (row, place) => row.cells[place].textContent.trim();
  [...heads].forEach((head, place) => {
    if (head.tagName !== 'TH') return;
    const told = rows.map(row => text(row, place)).filter(value => !BLANK.has(value));
    const date = /^\d{4}-\d\d-\d\d/;
    const numeric = told.length > 0 && told.every(value => !Number.isNaN(number(value)) && !date.test(value));
    const compare = numeric
      ? (a, b) => number(text(a, place)) - number(text(b, place))
      : (a, b) => text(a, place).localeCompare(text(b, place), 'en', {numeric: true});
    const button = element('button', {type: 'button', className: 'sort'}, ...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const now = head.getAttribute('aria-sort');
      const next = now === 'ascending' ? 'descending' : now === 'descending' ? '' : 'ascending';
      for (const other of heads) other.removeAttribute('aria-sort');
      if (next) head.setAttribute('aria-sort', next);
      table.classList.toggle('sorted', Boolean(next));
      const sign = next === 'descending' ? -1 : 1;
      const blank = row => BLANK.has(text(row, place));
      const ordered = next
        ? [...rows].sort((a, b) => blank(a) - blank(b) || (blank(a) ? 0 : sign * compare(a, b)))
        : rows;
      body.append(...ordered);
    });
  });
}
all('table[data-sortable]').forEach(sortable);

// --- Boxes that scroll can be reached with the keyboard; boxes that do not are no stop on the way.
const boxes = all('.table-box, pre[tabindex], .formula');
const stops = () => {
  const wide = boxes.map(box => box.scrollWidth > box.clientWidth + 1);
  const tall = boxes.map(box => box.scrollHeight > box.clientHeight + 1);
  boxes.forEach((box, n) => {
    if (wide[n] || tall[n]) box.tabIndex = 0;
    else box.removeAttribute('tabindex');
    box.classList.toggle('wide', wide[n]);
    box.classList.toggle('tall', tall[n]);
  });
};
addEventListener('resize', stops);
addEventListener('load', stops);
for (const cell of all('details')) cell.addEventListener('toggle', stops);
stops();

// --- Figures: Enter or a click enlarges, arrows go on, Escape comes back.
const links = all('a.enlarge');
if (links.length && 'HTMLDialogElement' in window) {
  const image = element('img', {alt: ''});
  const frame = element('div', {className: 'frame-large', tabIndex: 0}, image);
  frame.setAttribute('role', 'group');
  frame.setAttribute('aria-label', 'Figure, enlarged');
  const caption = element('p', {className: 'caption', id: 'enlarged-caption'});
  const button = (label, does) => {
    const made = element('button', {type: 'button'}, label);
    made.addEventListener('click', does);
    return made;
  };
  const dialog = element('dialog', {className: 'enlarged'});
  dialog.setAttribute('aria-labelledby', 'enlarged-caption');
  let place = 0;
  const show = next => {
    place = (next + links.length) % links.length;
    const small = links[place].querySelector('img');
    image.src = links[place].href;
    image.alt = small.alt;
    const item = links[place].closest('figure').querySelector('figcaption strong');
    caption.textContent = (item ? item.textContent + ': ' : '') + small.alt;
    frame.classList.remove('actual');
    size.textContent = 'Actual size';
    frame.scrollTo(0, 0);
  };
  const size = button('Actual size', () => {
    size.textContent = frame.classList.toggle('actual') ? 'Fit to screen' : 'Actual size';
  });
  const close = button('Close', () => dialog.close());
  const bar = element('div', {className: 'bar-large'},
    button('Previous', () => show(place - 1)), button('Next', () => show(place + 1)), size, close);
  dialog.append(bar, frame, caption);
  document.body.append(dialog);
  dialog.addEventListener('keydown', event => {
    if (frame.classList.contains('actual')) return; // arrows scroll then
    if (event.key === 'ArrowLeft') show(place - 1);
    if (event.key === 'ArrowRight') show(place + 1);
  });
  dialog.addEventListener('click', event => {
    if (event.target === dialog) dialog.close();
  });
  image.addEventListener('click', () => size.click());
  dialog.addEventListener('close', () => links[place].focus());
  links.forEach((link, n) => {
    link.setAttribute('aria-haspopup', 'dialog');
    link.addEventListener('click', event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own, as the reader asks
      event.preventDefault();
      show(n);
      dialog.showModal();
      close.focus();
    });
  });
}

// --- Table of contents: where the reader is.
const entries = all('.side .toc a');
if (entries.length) {
  const heads = entries.map(entry => document.getElementById(decodeURIComponent(entry.hash.slice(1))));
  const mark = () => {
    let now = 0;
    heads.forEach((head, n) => { if (head.getBoundingClientRect().top < innerHeight / 3) now = n; });
    entries.forEach((entry, n) => {
      if (n === now) entry.setAttribute('aria-current', 'location');
      else entry.removeAttribute('aria-current');
    });
  };
  let waiting = false;
  addEventListener('scroll', () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, {passive: true});
  mark();
}

// --- The map of items: filter as you type.
const filter = document.getElementById('filter');
if (filter) {
  filter.closest('.filter').hidden = false;
  const said = filter.closest('.filter').querySelector('[role=status]');
  const cards = all('.card').map(card => [card, card.textContent.toLowerCase()]);
  filter.addEventListener('input', () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const [card, text] of cards) {
      card.hidden = !words.every(word => text.includes(word));
      left += !card.hidden;
    }
    for (const group of all('.group')) group.hidden = !all('.card:not([hidden])', group).length;
    said.textContent = words.length ? `${left} of ${cards.length} items` : '';
  });
}
