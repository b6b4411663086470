'use strict';
// Charts of drift by window. Loaded after page.js, whose functions it uses.
const SVG = 'http://www.w3.org/2000/svg';
const [WIDE, HIGH, LEFT, TOP] = [300, 120, 38, 8];
const EVERY_MS = 3000;
const NAMES = { outputs: 'Outputs', classes: 'Predicted classes', confidence: 'Unsure answers', pixels: 'Pixels', faults: 'Image faults' };
let drift = null;

const short = (value) => value === 0 ? '0' : value < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
const words = (window) => window.words.length ? window.words.join('; ') : 'no significant difference';

function drawn(name, attributes, ...inside) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

// A chart of curves, each a value for every window, with level lines.
function chart(title, curves, lines, top, text, log) {
  const history = drift.history;
  const scaled = (value) => log ? -Math.log10(Math.max(value, 1e-12)) / 12 : value / top;
  const x = (at) => LEFT + (history.length < 2 ? 0.5 : at / (history.length - 1)) * (WIDE - LEFT - 8);
  const y = (value) => TOP + (1 - Math.min(1, Math.max(0, scaled(value)))) * (HIGH - 2 * TOP - 8);
  const svg = drawn('svg', { viewBox: `0 0 ${WIDE} ${HIGH}`, role: 'img', 'aria-label': title + ': ' + text });
  const step = history.length < 2 ? WIDE - LEFT : (WIDE - LEFT - 8) / (history.length - 1);
  history.forEach((window, at) => {
    if (window.status === 'alarm') svg.append(drawn('rect', { class: 'alarmed', x: x(at) - step / 2, y: TOP, width: step, height: HIGH - 2 * TOP - 8 }));
  });
  svg.append(drawn('path', { class: 'base', d: `M${LEFT} ${HIGH - TOP - 8}H${WIDE}` }));
  const picked = history.findIndex((window) => window.number === number());
  if (picked >= 0) svg.append(drawn('path', { class: 'chosen', d: `M${x(picked)} ${TOP}V${HIGH - TOP - 8}` }));
  for (const [value, kind] of lines) {
    svg.append(drawn('path', { class: kind, d: `M${LEFT} ${y(value)}H${WIDE}` }));
    svg.append(drawn('text', { class: 'end', x: LEFT - 4, y: y(value) + 4 }, short(value)));
  }
  for (const { values, kind } of curves) {
    svg.append(drawn('path', { class: 'curve ' + kind, d: values.map((value, at) => (at ? 'L' : 'M') + x(at).toFixed(1) + ' ' + y(value).toFixed(1)).join('') }));
  }
  const [{ values, suspicious = [] }] = curves;
  values.forEach((value, at) => {
    if (history.length > 80 && !suspicious[at]) return;
    const tip = drawn('title', {}, 'window ' + history[at].number + ': ' + short(value));
    svg.append(drawn('circle', { class: suspicious[at] ? 'point is-suspicious' : 'point', cx: x(at), cy: y(value), r: 3 }, tip));
  });
  svg.append(drawn('text', { x: LEFT, y: HIGH - 1 }, 'window ' + history[0].number));
  svg.append(drawn('text', { class: 'end', x: WIDE, y: HIGH - 1 }, String(history[history.length - 1].number)));
  svg.addEventListener('click', (event) => {
    const box = svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) * WIDE / box.width - LEFT) / (WIDE - LEFT - 8);
    const at = Math.round(Math.min(1, Math.max(0, share)) * (history.length - 1));
    pick(history[at].number);
  });
  const figure = element('figure');
  figure.className = suspicious[picked] ? 'suspicious' : '';
  const caption = element('figcaption');
  caption.append(element('strong', title), ' ' + text);
  figure.append(caption, svg);
  return figure;
}

// The selected window: the newest, unless the URL names another.
function number() {
  const wanted = Number(chosen('window'));
  const known = drift.history.some((window) => window.number === wanted);
  return known ? wanted : drift.history[drift.history.length - 1].number;
}

function pick(value) {
  choose('window', value === drift.history[drift.history.length - 1].number ? null : value);
  showDrift();
}

function tiles() {
  const last = drift.history[drift.history.length - 1];
  const state = { waiting: 'waiting', quiet: 'quiet', suspicious: 'suspicious', alarm: 'ALARM' }[drift.status];
  const pairs = [['State', state], ['Windows', drift.windows.toLocaleString('en')], ['Suspicious', drift.suspicious_windows.toLocaleString('en')], ['Alarms', drift.alarms]];
  if (last && last.accuracy) pairs.push(['Accuracy, estimated', percent(last.accuracy.thresholded_confidence)]);
  if (drift.labels) pairs.push([`Accuracy, ${drift.labels.images.toLocaleString('en')} labels`, percent(drift.labels.accuracy)]);
  $('state').replaceChildren(...pairs.map(([name, value]) => {
    const tile = element('div');
    tile.append(element('dt', name), element('dd', String(value)));
    return tile;
  }));
}

function alarm() {
  const texts = [];
  if (drift.status === 'alarm') {
    const last = drift.history[drift.history.length - 1];
    texts.push('The images no longer resemble those that version ' + drift.version + ' was accepted on: ' + words(last) + '.');
  }
  if (drift.labels && drift.labels.alarm) {
    texts.push('Of ' + drift.labels.images + ' predictions with a true label, ' + percent(drift.labels.accuracy) + ' are right, but ' + percent(drift.labels.gate) + ' are required.');
  }
  const text = texts.join(' ');
  // Replaced only if it changed, so that screen readers do not repeat it.
  if ($('alarm').dataset.text === text) return;
  $('alarm').dataset.text = text;
  const link = element('a', 'Show the windows');
  link.href = '#drift';
  $('alarm').replaceChildren(element('strong', 'Alarm'), text + ' ', link);
  $('alarm').hidden = !text;
}

function showDrift() {
  $('drift').hidden = $('to-drift').hidden = false;
  const is = drift.watched;
  $('watched').hidden = !is || drift.history.length === 0;
  $('state').hidden = !is;
  $('watch').textContent = !is ? 'Drift is not monitored: ' + drift.why + '.' :
    `Monitoring version ${drift.version} since ${drift.since.slice(0, 16).replace('T', ' ')}, compared with ${drift.reference_images.toLocaleString('en')} held-out images in windows of ${drift.window.toLocaleString('en')}; ` +
    `the current one has ${drift.pending} so far. Two suspicious windows in a row raise an alarm.`;
  if (!is) { $('alarm').hidden = true; return; }
  tiles();
  alarm();
  if (drift.history.length === 0) return;
  const measure = chosen('measure') === 'p' ? 'p' : 'effect';
  $('measure').value = measure;
  const [first, last] = [drift.history[0].number, drift.history[drift.history.length - 1].number];
  Object.assign($('window'), { min: first, max: last, value: number() });
  $('number').textContent = number() + ' of ' + last;
  const charts = Object.entries(NAMES).map(([name, title]) => {
    const found = drift.history.map((window) => window.findings.find((finding) => finding.comparison === name));
    const values = found.map((finding) => finding[measure]);
    const suspicious = found.map((finding) => finding.is_suspicious);
    const curve = { values, suspicious, kind: '' };
    const { floor } = found[0];
    const text = measure === 'p' ? `p-value; suspicious above the line at ${short(drift.level)}` : `effect size; suspicious above ${short(floor)} if significant`;
    return chart(title, [curve], [[measure === 'p' ? drift.level : floor, 'limit']], Math.max(2 * floor, ...values), text, measure === 'p');
  });
  const estimates = drift.history.map((window) => window.accuracy).filter(Boolean);
  if (estimates.length === drift.history.length) {
    const curves = [['thresholded_confidence', ''], ['difference_of_confidences', 'other']].map(([key, kind]) => ({ values: estimates.map((one) => one[key]), kind }));
    charts.push(chart('Accuracy', curves, [[drift.reference_accuracy, 'usual'], [0, 'base']], 1, 'estimated without labels (ATC, DoC); for information only', false));
  }
  $('charts').replaceChildren(...charts);
  details();
}

function details() {
  const window = drift.history.find((window) => window.number === number());
  const table = element('table');
  const head = element('tr');
  head.append(...['Comparison', 'Effect size', 'Threshold', 'p-value', 'Level'].map((name) => element('th', name)));
  table.append(head, ...window.findings.map((finding) => {
    const row = element('tr');
    row.className = finding.is_suspicious ? 'is-suspicious' : '';
    const cells = [NAMES[finding.comparison], finding.effect.toFixed(3), finding.floor, short(finding.p), short(window.level)];
    row.append(...cells.map((cell) => element('td', String(cell))));
    return row;
  }));
  const scroll = element('div');
  scroll.className = 'scroll';
  scroll.append(table);
  const text = `Window ${window.number}, ${window.ended.slice(0, 19).replace('T', ' ')}, ${window.status}: ${words(window)}.`;
  $('details').replaceChildren(element('p', text), scroll);
}

async function look() {
  if (!session.may.read) return;
  try {
    drift = await ask('/api/drift');
    showDrift();
  } catch { /* The server does not respond; it is asked again later. */ }
}

$('measure').addEventListener('change', () => { choose('measure', $('measure').value === 'p' ? 'p' : null); showDrift(); });
$('window').addEventListener('input', () => pick(Number($('window').value)));
addEventListener('begun', async () => {
  await look();
  // The sections have only just become visible.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
});
setInterval(() => { if (!document.hidden) look(); }, EVERY_MS);
