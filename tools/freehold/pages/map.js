/*
 * map.js - draws a map of a heap into `root`. What each cell looks like was decided by the program that made the page
 * (map_look.c); here it is drawn, pointed at, and moved through time.
 *
 * data: { columns, items, steps, chunks: from which number on kinds are no slabs, colors: [light, dark],
 * bands: [{ name, shift, gaps, runs: [[address, cells]...], rows: [[slots, folded bytes]...] }],
 * kinds: { number: name }, frames: [{ title, time, threads: { number: name }, held, cells }] }.
 * Cells are one string: fields by commas, cells by semicolons, 0 left out; see map_html.c.
 */
'use strict';

function fhMap(root, data) {
  const BODY = { none: 0, empty: 1, memory: 2, metadata: 3, gap: 4 };
  const MARK = { none: 0, pinned: 1, cached: 2, purged: 3 };
  const ITEMS = data.items.length, LIVE = 0, CACHED = 2, FREE = 3, UNTOUCHED = 4, METADATA = 5;
  const LABEL = 96, LABEL_FROM = 560, FOLD = 18, TOP = 4;
  const classes = ['#4269d0', '#efb118', '#3ca951', '#a463f2', '#ff8ab7', '#9c6b4e', '#6cc5b0', '#ff725c', '#97bbf5'];
  const others = { chunks: '#7f93b2', large: '#b59a7a' };
  const dark = matchMedia('(prefers-color-scheme: dark)');
  let label = LABEL; /* room for addresses in front of rows; none on a narrow screen */
  let colors = data.colors[+dark.matches], mode = 'live', timer = 0;
  let frame = data.frames.length - 1, hovered = -1, chosen = -1;

  /* --- numbers and words --- */

  function human(bytes) {
    const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
    let unit = 0;
    for (; bytes >= 999.5 && unit < 4; unit++) bytes /= 1000;
    const digits = unit && bytes < 99.95 ? bytes.toFixed(1) : Math.round(bytes);
    return digits + ' ' + (!unit && bytes === 1 ? 'byte' : units[unit]);
  }
  const grouped = n => n.toLocaleString('en-US');
  const counted = (n, one, many) => grouped(n) + (n === 1 ? one : many);
  const percent = (part, whole) => (whole ? Math.round(100 * part / whole) : 0) + ' %';
  const hex = address => '0x' + address.toString(16).padStart(12, '0');
  const size = shift => (1 << shift % 10) + ' ' + ['bytes', 'KiB', 'MiB', 'GiB'][Math.floor(shift / 10)];
  const owner = (id, f) => 'thread ' + (f.threads[id] || '#' + id);

  function element(name, attributes, ...children) {
    const e = document.createElement(name);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    e.append(...children);
    return e;
  }

  /* --- data --- */

  /* Cells of all bands, and where each is: { band, start, slot }. */
  const places = [];
  for (const band of data.bands) {
    let slot = 0;
    band.first = places.length;
    band.at_slot = [];
    band.runs.forEach(([address, count], i) => {
      if (i) slot++;
      for (let j = 0; j < count; j++) {
        band.at_slot[slot] = places.length;
        places.push({ band, start: address + j * 2 ** band.shift, slot: slot++ });
      }
    });
    band.count = places.length - band.first;
  }

  function read_cell(text) {
    const n = text.split(',').map(Number);
    const at = i => n[i] || 0;
    const cell = { body: at(0), mark: at(1), step: at(2), filled: at(3) / 64 };
    Object.assign(cell, { bytes: [], resident: [], kinds: [], owners: [] });
    for (let i = 0; i < ITEMS; i++) {
      cell.bytes.push(at(4 + i));
      cell.resident.push(i === UNTOUCHED ? at(4 + ITEMS + i) : at(4 + i) - at(4 + ITEMS + i));
    }
    const rest = 4 + 2 * ITEMS;
    ['purged', 'swapped', 'gap', 'pinned', 'pinning', 'blocks'].forEach((k, i) => { cell[k] = at(rest + i); });
    for (let i = 0; i < 3; i++) {
      if (at(rest + 7 + 2 * i)) cell.kinds.push([at(rest + 6 + 2 * i), at(rest + 7 + 2 * i)]);
      if (at(rest + 13 + 2 * i)) cell.owners.push([at(rest + 12 + 2 * i), at(rest + 13 + 2 * i)]);
    }
    cell.held = cell.bytes.reduce((a, b) => a + b, 0);
    cell.memory = cell.resident.reduce((a, b) => a + b, 0);
    return cell;
  }

  function sum(cells) {
    const all = { bytes: Array(ITEMS).fill(0), resident: Array(ITEMS).fill(0), held: 0, memory: 0 };
    for (const k of ['purged', 'swapped', 'gap', 'pinned', 'pinning', 'blocks']) all[k] = 0;
    for (const cell of cells) {
      for (let i = 0; i < ITEMS; i++) {
        all.bytes[i] += cell.bytes[i];
        all.resident[i] += cell.resident[i];
      }
      for (const k of ['held', 'memory', 'purged', 'swapped', 'gap', 'pinned', 'pinning', 'blocks']) all[k] += cell[k];
    }
    return all;
  }

  for (const f of data.frames) {
    f.cells = f.cells.split(';').map(read_cell);
    f.total = sum(f.cells);
    f.bands = data.bands.map(b => sum(f.cells.slice(b.first, b.first + b.count)));
  }

  /* --- colours --- */

  const item_color = i =>
    [colors.steps[data.steps - 1], colors.rule, colors.cached, colors.steps[0], colors.empty, colors.metadata][i];
  /* Bytes of each kind or owner, the most first. */
  function ranking(cells, of) {
    const most = new Map();
    for (const cell of cells) for (const [n, bytes] of of(cell)) most.set(n, (most.get(n) || 0) + bytes);
    return [...most].sort((a, b) => b[1] - a[1]);
  }
  const kind_order = ranking(data.frames.flatMap(f => f.cells), cell => cell.kinds).map(([kind]) => kind)
    .filter(kind => kind < data.chunks);
  function kind_color(kind) {
    if (kind === undefined) return colors.metadata;
    if (kind >= data.chunks) return kind === data.chunks ? others.chunks : others.large;
    return classes[kind_order.indexOf(kind) % classes.length];
  }
  const owner_color = id => id === undefined ? colors.metadata : classes[(id - 1) % classes.length];

  function color_of(cell) {
    if (cell.body === BODY.gap) return colors.gap;
    if (cell.body === BODY.metadata) return colors.metadata;
    if (mode === 'kind') return kind_color((cell.kinds[0] || [])[0]);
    if (mode === 'owner') return owner_color((cell.owners[0] || [])[0]);
    return colors.steps[cell.step];
  }

  function draw_cell(g, cell, x, y, side, snap) {
    const height = cell.body === BODY.gap ? side : cell.body === BODY.empty ? 0
      : Math.min(side, Math.max(snap(side * .2), snap(side * cell.filled)));
    g.fillStyle = colors.empty;
    if (height < side) g.fillRect(x, y, side, side - height);
    g.fillStyle = color_of(cell);
    if (height > 0) g.fillRect(x, y + side - height, side, height);
    const cx = x + side / 2, cy = y + side / 2, dot = (r, color, dy) => {
      g.fillStyle = color;
      g.beginPath();
      g.arc(cx, cy - (dy || 0), r, 0, 7);
      g.fill();
    };
    if (mode !== 'live') return;
    if (cell.mark === MARK.purged) {
      dot(side * .12, colors.purged, side * .15);
    } else if (cell.mark === MARK.pinned || cell.mark === MARK.cached) {
      if (cell.step > data.steps / 2) dot(side * .34, colors.paper);
      dot(side * .23, cell.mark === MARK.pinned ? colors.pinned : colors.cached);
    }
  }

  /* --- the parts of the page --- */

  root.classList.add('fh-map');
  const head = element('div', { class: 'head' }), bar = element('div', { class: 'bar' });
  const keys = element('div', { class: 'keys' });
  const line = element('div', { class: 'line' }), legend = element('div', { class: 'keys faint' });
  const controls = element('div', { class: 'controls' }), bands = element('div', { class: 'bands', tabindex: 0 });
  const aside = element('aside', { 'aria-live': 'polite' }), tip = element('div', { class: 'tip' });
  bands.setAttribute('aria-label', 'map of the heap; arrow keys go from cell to cell');
  root.append(head, bar, keys, line, controls, legend, element('div', { class: 'columns' }, bands, aside), tip);

  function make_controls() {
    const choice = element('span', { class: 'choice', role: 'radiogroup' });
    for (const [value, text] of [['live', 'live share'], ['kind', 'size class'], ['owner', 'thread']]) {
      const radio = element('input', { type: 'radio', name: 'fh-mode', value });
      radio.checked = value === mode;
      radio.onchange = () => { mode = value; show(); };
      choice.append(element('label', {}, radio, text));
    }
    controls.append(element('span', {}, 'colour: ', choice));
    if (data.frames.length < 2) return;
    const last = data.frames.length - 1;
    const slider = element('input', { type: 'range', min: 0, max: last, value: frame, 'aria-label': 'time' });
    const when = element('output', {}), play = element('button', { type: 'button' }, 'play');
    const go = n => { frame = n; slider.value = n; show(); };
    controls.go = go;
    slider.oninput = () => go(+slider.value);
    play.onclick = () => {
      play.textContent = timer ? 'play' : 'pause';
      if (timer) { timer = clearInterval(timer) || 0; return; }
      if (frame === data.frames.length - 1) go(0);
      timer = setInterval(() => {
        if (frame < data.frames.length - 1) go(frame + 1);
        else play.click();
      }, 700);
    };
    controls.append(element('span', { class: 'time' }, play, slider, when));
    controls.when = when;
  }

  function figure(value, label) { return element('div', {}, element('b', {}, value), element('span', {}, label)); }

  function show_head() {
    const f = data.frames[frame], all = f.total;
    head.replaceChildren(
      figure(human(f.held), 'from the kernel'), figure(human(all.memory), 'of it in memory'),
      figure(percent(all.resident[LIVE], all.memory), 'of the memory is live'),
      figure(grouped(all.blocks), 'live blocks'),
      figure(human(all.pinned), 'idle on sparse pages of ' + counted(all.pinning, ' block', ' blocks')),
      figure(human(all.purged), 'given back in between'));
    bar.replaceChildren();
    keys.replaceChildren();
    data.items.forEach((name, i) => {
      if (i === UNTOUCHED) return;
      bar.append(element('i', { style: `flex: ${all.resident[i]} 0 0; background: ${item_color(i)}`, title: name }));
      keys.append(element('span', {}, element('span', { class: 'key', style: `background: ${item_color(i)}` }),
        name + ' ' + human(all.resident[i])));
    });
    if (controls.when) controls.when.textContent = f.time || (frame + 1) + ' of ' + data.frames.length;
  }

  function sample(cell, text) {
    const canvas = element('canvas', {}), ratio = devicePixelRatio || 1, side = 11;
    canvas.width = canvas.height = side * ratio;
    canvas.style.width = canvas.style.height = side + 'px';
    const g = canvas.getContext('2d');
    g.scale(ratio, ratio);
    draw_cell(g, Object.assign({ kinds: [], owners: [] }, cell), 0, 0, side, v => v);
    return element('span', {}, canvas, text);
  }

  function swatch(color, text) {
    return element('span', {}, element('span', { class: 'key', style: 'background: ' + color }), text);
  }

  function show_legend() {
    const f = data.frames[frame], full = data.steps - 1;
    legend.replaceChildren();
    if (mode === 'live') {
      const ramp = element('span', { class: 'ramp' });
      for (let i = 0; i <= full; i++) ramp.append(element('i', { style: 'background: ' + colors.steps[i] }));
      legend.append(element('span', {}, 'nothing live', ramp, 'all live'),
        sample({ body: BODY.memory, step: full - 1, filled: .5 }, 'half in memory'),
        sample({ body: BODY.empty }, 'never used'),
        sample({ body: BODY.empty, mark: MARK.purged }, 'given back'),
        sample({ body: BODY.memory, step: 0, filled: 1, mark: MARK.pinned }, 'kept by few live bytes'),
        sample({ body: BODY.memory, step: 0, filled: 1, mark: MARK.cached }, 'in threads’ caches'),
        sample({ body: BODY.metadata, filled: 1 }, 'the library’s own'));
      return;
    }
    for (const [n, bytes] of ranking(f.cells, cell => mode === 'kind' ? cell.kinds : cell.owners).slice(0, 12))
      legend.append(mode === 'kind' ? swatch(kind_color(n), data.kinds[n] + ' ' + human(bytes))
        : swatch(owner_color(n), owner(n, f) + ' ' + human(bytes)));
    legend.append(swatch(colors.metadata, mode === 'kind' ? 'free, or the library’s own' : 'nobody’s slabs'));
  }

  /* --- bands --- */

  for (const band of data.bands) {
    band.summary = element('span', {});
    band.canvas = element('canvas', { role: 'img', 'aria-label': band.name });
    band.header = element('header', {}, element('h3', {}, band.name), band.summary);
    band.box = element('section', { class: 'band' }, band.header, band.canvas);
    bands.append(band.box);
  }

  /* Where rows are: y of each, in points. */
  function lay_out(band, pitch) {
    let slot = 0, y = TOP;
    band.pitch = pitch;
    band.lines = band.rows.map(([slots, folded]) => {
      const row = { slot, slots, folded, y, height: folded ? FOLD : pitch };
      slot += slots;
      y += row.height;
      return row;
    });
    band.height = y;
  }

  function draw_band(band, number) {
    const all = data.frames[frame].bands[number], cells = data.frames[frame].cells;
    band.box.hidden = !(all.held + all.gap);
    if (band.box.hidden) return;
    band.summary.textContent = human(all.held) + ' held · ' + human(all.memory) + ' in memory · ' +
      percent(all.resident[LIVE], all.memory) + ' live · a cell is ' + size(band.shift);
    const width = band.canvas.clientWidth, ratio = devicePixelRatio || 1;
    label = width < LABEL_FROM ? 0 : LABEL;
    const pitch = Math.max(2, Math.floor((width - label) / data.columns * ratio) / ratio);
    const gap = pitch >= 5 ? 1 : pitch >= 3 ? 1 / ratio : 0, side = pitch - gap;
    const snap = v => Math.round(v * ratio) / ratio;
    lay_out(band, pitch);
    band.canvas.style.height = band.height + 'px';
    band.header.style.maxWidth = label + data.columns * pitch + 'px';
    band.canvas.width = Math.round(width * ratio);
    band.canvas.height = Math.round(band.height * ratio);
    const g = band.canvas.getContext('2d');
    g.scale(ratio, ratio);
    g.textBaseline = 'middle';
    let since_label = 0;
    for (const row of band.lines) {
      g.fillStyle = colors.faint;
      if (row.folded) {
        g.font = '11.5px system-ui, sans-serif';
        g.fillText('… ' + human(row.folded) + ' without memory', label, row.y + FOLD / 2);
        since_label = 0;
        continue;
      }
      const first = band.at_slot.slice(row.slot, row.slot + row.slots).find(n => n !== undefined);
      if (label && since_label++ % Math.ceil(12 / pitch) === 0 && first !== undefined) {
        g.font = '10.5px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';
        g.fillText(places[first].start.toString(16).padStart(12, '0'), 0, row.y + side / 2 + .5);
      }
      for (let i = 0; i < row.slots; i++) {
        const n = band.at_slot[row.slot + i];
        if (n !== undefined && cells[n].body !== BODY.none)
          draw_cell(g, cells[n], label + i * pitch, row.y, side, snap);
      }
    }
    for (const [n, width] of [[hovered, 1], [chosen, 2]]) {
      const box = n >= 0 && places[n].band === band && box_of(n);
      if (!box) continue;
      g.strokeStyle = colors.ink;
      g.lineWidth = width;
      g.strokeRect(box.x - width / 2, box.y - width / 2, side + width, side + width);
    }
  }

  function box_of(n) {
    const { band, slot } = places[n];
    const row = band.lines && band.lines.find(r => slot >= r.slot && slot < r.slot + r.slots);
    return row && !row.folded ? { x: label + (slot - row.slot) * band.pitch, y: row.y } : null;
  }

  function cell_under(band, event) {
    const box = band.canvas.getBoundingClientRect(), x = event.clientX - box.left - label, y = event.clientY - box.top;
    const row = (band.lines || []).find(r => y >= r.y && y < r.y + r.height);
    if (!row || row.folded || x < 0) return -1;
    const i = Math.floor(x / band.pitch), n = i < row.slots ? band.at_slot[row.slot + i] : undefined;
    return n === undefined || data.frames[frame].cells[n].body === BODY.none ? -1 : n;
  }

  /* --- one cell in words --- */

  function range(n) {
    const { start, band } = places[n];
    return hex(start) + ' – ' + hex(start + 2 ** band.shift);
  }
  const kinds_of = cell => cell.kinds.map(([k, bytes]) => data.kinds[k] + ' ' + human(bytes));
  const owners_of = (cell, f) =>
    cell.owners.map(([id, bytes]) => owner(id, f) + (cell.owners.length > 1 ? ' ' + human(bytes) : ''));
  function warnings(cell) {
    const list = [];
    if (cell.pinned)
      list.push(human(cell.pinned) + ' idle, on pages that ' +
        counted(cell.pinning, ' live block keeps', ' live blocks keep'));
    if (cell.gap) list.push(human(cell.gap) + ' could not be read');
    return list;
  }

  function show_tip(n, event) {
    tip.style.visibility = n < 0 ? 'hidden' : 'visible';
    if (n < 0) return;
    const f = data.frames[frame], cell = f.cells[n], lines = [];
    lines.push(human(cell.memory) + ' of ' + human(cell.held) + ' in memory' +
      (cell.memory ? ', ' + percent(cell.resident[LIVE], cell.memory) + ' live' : ''));
    if (cell.blocks) lines.push(counted(cell.blocks, ' live block', ' live blocks'));
    if (cell.kinds.length) lines.push(kinds_of(cell).join(', '));
    if (cell.owners.length) lines.push(owners_of(cell, f).join(', '));
    tip.replaceChildren(element('div', { class: 'mono' }, range(n)), ...lines.map(text => element('div', {}, text)),
      ...warnings(cell).map(text => element('div', { class: 'alarm' }, text)));
    const box = tip.getBoundingClientRect(), x = event.clientX + 14, y = event.clientY + 16;
    tip.style.left = Math.max(4, Math.min(x, innerWidth - box.width - 6)) + 'px';
    tip.style.top = (y + box.height > innerHeight ? event.clientY - box.height - 10 : y) + 'px';
  }

  function item_table(cell) {
    const row = (tag, ...texts) => element('tr', {}, ...texts.map(text => element(tag, {}, text)));
    const table = element('table', {}, row('th', '', 'held', 'in memory'));
    data.items.forEach((name, i) => {
      if (cell.bytes[i])
        table.append(row('td', swatch(item_color(i), name), human(cell.bytes[i]), human(cell.resident[i])));
    });
    if (cell.purged) table.append(row('td', 'of it given back', human(cell.purged), ''));
    if (cell.swapped) table.append(row('td', 'swapped out', human(cell.swapped), ''));
    return table;
  }

  function show_aside() {
    const f = data.frames[frame];
    if (chosen < 0) {
      aside.replaceChildren(element('h3', {}, 'The whole heap'), item_table(f.total),
        element('p', {}, 'Point at a cell for what is there; click to keep it here. Arrow keys go on from it.'));
      return;
    }
    const cell = f.cells[chosen], { band, start } = places[chosen];
    const facts = (title, list) =>
      list.length ? [element('p', {}, title), ...list.map(text => element('div', {}, text))] : [];
    aside.replaceChildren(
      element('div', { class: 'address mono' }, hex(start)),
      element('div', { class: 'faint mono' }, 'to ' + hex(start + 2 ** band.shift)),
      element('p', {}, band.name), item_table(cell),
      element('div', {}, counted(cell.blocks, ' live block begins here', ' live blocks begin here')),
      ...warnings(cell).map(text => element('div', { class: 'alarm' }, text)),
      ...facts('of what', kinds_of(cell)), ...facts('whose slabs', owners_of(cell, f)));
  }

  /* --- over time --- */

  function show_line() {
    if (data.frames.length < 2) return;
    const W = 960, H = 120, NS = 'http://www.w3.org/2000/svg', order = [LIVE, CACHED, FREE, METADATA];
    const svg = document.createElementNS(NS, 'svg');
    const add = (name, attributes) => {
      const e = document.createElementNS(NS, name);
      for (const k in attributes) e.setAttribute(k, attributes[k]);
      svg.append(e);
      return e;
    };
    const times = data.frames.map((f, i) => f.time_ms || i), span = times[times.length - 1] - times[0];
    const x = i => 1 + (W - 2) * (span ? (times[i] - times[0]) / span : i / (data.frames.length - 1));
    const most = Math.max(...data.frames.map(f => f.total.memory), 1), y = bytes => H - 1 - (H - 18) * bytes / most;
    svg.setAttribute('viewBox', `0 0 ${W} ${H}`);
    let below = data.frames.map(() => 0);
    for (const item of order) {
      const above = below.map((b, i) => b + data.frames[i].total.resident[item]);
      add('polygon', { fill: item_color(item), points: above.map((b, i) => x(i) + ',' + y(b)).join(' ') + ' ' +
        below.map((b, i) => x(i) + ',' + y(b)).reverse().join(' ') });
      below = above;
    }
    add('text', { x: 0, y: 10, style: 'font-size: 9.5px' }).textContent = 'in memory, at most ' + human(most);
    add('line', { x1: x(frame), x2: x(frame), y1: 14, y2: H, stroke: colors.ink, 'stroke-width': 1.5 });
    const here = { cx: x(frame), cy: y(data.frames[frame].total.memory) };
    add('circle', { ...here, r: 4, fill: colors.ink, stroke: colors.paper });
    svg.style.cursor = 'pointer';
    svg.onclick = e => {
      const box = svg.getBoundingClientRect(), at = (e.clientX - box.left) * W / box.width;
      controls.go(data.frames.reduce((best, f, i) => Math.abs(x(i) - at) < Math.abs(x(best) - at) ? i : best, 0));
    };
    line.replaceChildren(svg);
  }

  function draw() { data.bands.forEach(draw_band); }
  function show() {
    show_head();
    show_line();
    show_legend();
    show_aside();
    draw();
  }

  /* --- pointing --- */

  function point(n) {
    if (n === hovered) return;
    const old = hovered;
    hovered = n;
    for (const m of [old, n]) if (m >= 0) draw_band(places[m].band, data.bands.indexOf(places[m].band));
  }
  for (const band of data.bands) {
    band.canvas.onmousemove = event => {
      const n = cell_under(band, event);
      point(n);
      show_tip(n, event);
    };
    band.canvas.onmouseleave = event => { point(-1); show_tip(-1, event); };
    band.canvas.onclick = event => {
      const n = cell_under(band, event);
      chosen = n === chosen ? -1 : n;
      show_aside();
      draw();
    };
  }
  bands.onkeydown = event => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -data.columns, ArrowDown: data.columns }[event.key];
    if (event.key === 'Escape') chosen = -1;
    else if (step) chosen = Math.min(places.length - 1, Math.max(0, chosen < 0 ? 0 : chosen + step));
    else return;
    event.preventDefault();
    show_aside();
    draw();
  };
  dark.addEventListener('change', () => { colors = data.colors[+dark.matches]; show(); });
  let width = 0;
  new ResizeObserver(() => {
    if (bands.clientWidth === width) return;
    width = bands.clientWidth;
    draw();
  }).observe(bands);
  make_controls();
  show();
}
