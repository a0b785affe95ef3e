/*
 * replay.js - the chart of `freehold replay --html`: resident and live bytes over calls or time, of one run or several.
 *
 * data: [{ name, color, samples: [[ns, calls, resident, live]...] }...]
 */
'use strict';

function fhReplay(svg, at, data) {
  const W = 960, H = 380, L = 62, R = 12, T = 12, B = 34, NS = 'http://www.w3.org/2000/svg';
  let axis = 'calls';
  const x_of = s => axis === 'calls' ? s[1] : s[0] / 1e6, mib = b => b / 1048576;
  function add(name, attributes, text) {
    const e = document.createElementNS(NS, name);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    if (text !== undefined) e.textContent = text;
    svg.appendChild(e);
    return e;
  }
  function step(most) {
    const s = Math.pow(10, Math.floor(Math.log10(most / 4)));
    return [1, 2, 5, 10].map(n => n * s).find(n => most / n <= 6);
  }
  const short = v => v >= 1e9 ? +(v / 1e9).toFixed(2) + ' G' : v >= 1e6 ? +(v / 1e6).toFixed(2) + ' M'
    : v >= 1e3 ? +(v / 1e3).toFixed(2) + ' k' : +v.toFixed(3);
  function draw() {
    svg.replaceChildren();
    const all = data.flatMap(d => d.samples);
    const xm = Math.max(...all.map(x_of), 1e-9);
    const ym = Math.max(...all.map(s => mib(Math.max(s[2], s[3]))), 1e-6) * 1.05;
    const px = v => L + (W - L - R) * v / xm, py = v => H - B - (H - T - B) * v / ym;
    if (axis === 'calls') {
      const live = data[0].samples;
      const points = live.map(s => px(x_of(s)) + ',' + py(mib(s[3])));
      points.unshift(px(0) + ',' + py(0));
      points.push(px(x_of(live[live.length - 1])) + ',' + py(0));
      add('polygon', { points: points.join(' '), fill: 'var(--live)' });
    }
    for (let y = 0, s = step(ym); y <= ym; y += s) {
      add('line', { x1: L, x2: W - R, y1: py(y), y2: py(y), stroke: 'var(--rule)' });
      add('text', { x: L - 6, y: py(y) + 4, 'text-anchor': 'end' }, +y.toFixed(6));
    }
    add('text', { x: 4, y: T + 2 }, 'MiB');
    for (let x = 0, s = step(xm); x <= xm; x += s)
      add('text', { x: px(x), y: H - B + 18, 'text-anchor': px(x) > W - R - 24 ? 'end' : 'middle' }, short(x));
    add('text', { x: W - R, y: H - 2, 'text-anchor': 'end' }, axis === 'calls' ? 'calls' : 'ms');
    for (const d of data)
      add('polyline', { points: d.samples.map(s => px(x_of(s)) + ',' + py(mib(s[2]))).join(' '), fill: 'none',
        stroke: d.color, 'stroke-width': 2, 'stroke-linejoin': 'round' });
    const rule = add('line', { y1: T, y2: H - B, stroke: 'var(--faint)', visibility: 'hidden' });
    svg.onmousemove = e => {
      const box = svg.getBoundingClientRect();
      const x = ((e.clientX - box.left) * W / box.width - L) / (W - L - R) * xm;
      if (x < 0 || x > xm) return svg.onmouseleave();
      rule.setAttribute('x1', px(x)); rule.setAttribute('x2', px(x)); rule.setAttribute('visibility', 'visible');
      const near = d => d.samples.reduce((a, b) => Math.abs(x_of(b) - x) < Math.abs(x_of(a) - x) ? b : a);
      at.textContent = 'at ' + short(x) + (axis === 'calls' ? ' calls: ' : ' ms: ') +
        data.map(d => d.name + ' ' + mib(near(d)[2]).toFixed(1)).join(', ') +
        (axis === 'calls' ? ', live ' + mib(near(data[0])[3]).toFixed(1) : '') + ' MiB';
    };
    svg.onmouseleave = () => { rule.setAttribute('visibility', 'hidden'); at.textContent = hint; };
  }
  const hint = 'Point at the chart for values. Grey: live bytes.';
  at.textContent = hint;
  for (const r of document.getElementsByName('axis')) r.onchange = () => { axis = r.value; draw(); };
  draw();
}
