'use strict';
// Requests everything that the page shows from the server.
const $ = (id) => document.getElementById(id);
const percent = (share) => (share * 100).toFixed(2) + ' %';
let last = null;
let session = { may: {}, form_token: '' };

async function ask(path, options = {}) {
  const headers = Object.assign({ 'x-form-token': session.form_token }, options.headers);
  const response = await fetch(path, Object.assign({}, options, { headers, credentials: 'same-origin' }));
  const body = await response.json().catch(() => ({ error: 'The response of the server cannot be read.' }));
  if (!response.ok && !body.decision) throw new Error(body.error || 'The server responded with status ' + response.status + '.');
  return body;
}

function problem(error) {
  $('problem').hidden = !error;
  $('problem').textContent = error ? error.message : '';
}

async function attempt(work) {
  try { problem(null); await work(); } catch (error) { problem(error); }
}

function element(name, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
}

function show(answer) {
  const found = answer.predictions[0];
  last = { request: answer.request, index: found.index };
  const what = found.unsure ? 'Unsure; most likely ' + found.class : found.class;
  $('answer').textContent = what + ' (' + percent(found.probability) + '), by version ' + answer.version;
  const shares = Object.entries(found.probabilities).sort((a, b) => b[1] - a[1]).slice(0, 10);
  $('bars').replaceChildren(...shares.map(([name, share]) => {
    const row = element('div');
    row.className = 'bar';
    const bar = element('progress');
    bar.max = 1;
    bar.value = share;
    bar.setAttribute('aria-label', name);
    row.append(element('span', name), bar, element('span', percent(share)));
    return row;
  }));
  $('label').replaceChildren(...Object.keys(found.probabilities).map((name) => element('option', name)));
  $('told').textContent = '';
  $('correct').hidden = !session.may.feedback;
}

async function predict(file) {
  const kind = { 'content-type': 'application/octet-stream' };
  show(await ask('/predict', { method: 'POST', body: file, headers: kind }));
}

const pad = $('pad');
const pen = pad.getContext('2d');
let drawing = false;
let at = { x: 140, y: 140 };
let isEmpty = true;

function clear() {
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, pad.width, pad.height);
  isEmpty = true;
}

function line(to) {
  pen.strokeStyle = '#000';
  pen.lineWidth = 22;
  pen.lineCap = pen.lineJoin = 'round';
  pen.beginPath();
  pen.moveTo(at.x, at.y);
  pen.lineTo(to.x, to.y);
  pen.stroke();
  at = to;
  isEmpty = false;
}

function place(event) {
  const box = pad.getBoundingClientRect();
  return { x: (event.clientX - box.left) * pad.width / box.width, y: (event.clientY - box.top) * pad.height / box.height };
}

function classifyDrawing() {
  if (!isEmpty) pad.toBlob((file) => attempt(() => predict(file)), 'image/png');
}

pad.addEventListener('pointerdown', (event) => {
  drawing = true;
  pad.setPointerCapture(event.pointerId);
  at = place(event);
  line({ x: at.x + 0.1, y: at.y });
});
pad.addEventListener('pointermove', (event) => { if (drawing) line(place(event)); });
for (const end of ['pointerup', 'pointercancel']) {
  pad.addEventListener(end, () => { if (drawing) { drawing = false; classifyDrawing(); } });
}
let isDown = false;
pad.addEventListener('keydown', (event) => {
  const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[event.key];
  if (step) {
    const to = { x: Math.min(270, Math.max(10, at.x + step[0])), y: Math.min(270, Math.max(10, at.y + step[1])) };
    if (isDown) line(to); else at = to;
    event.preventDefault();
  } else if (event.key === ' ') {
    isDown = !isDown;
    if (!isDown) classifyDrawing();
    event.preventDefault();
  }
});
pad.addEventListener('dragover', (event) => { event.preventDefault(); pad.classList.add('over'); });
pad.addEventListener('dragleave', () => pad.classList.remove('over'));

function take(file) {
  if (!file) return;
  attempt(() => predict(file));
  const picture = new Image();
  const address = 'data:';
  const reader = new FileReader();
  reader.addEventListener('load', () => { if (reader.result.startsWith(address)) picture.src = reader.result; });
  picture.addEventListener('load', () => {
    clear();
    const scale = Math.min(pad.width / picture.width, pad.height / picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    pen.drawImage(picture, (pad.width - width) / 2, (pad.height - height) / 2, width, height);
  });
  reader.readAsDataURL(file);
}

pad.addEventListener('drop', (event) => {
  event.preventDefault();
  pad.classList.remove('over');
  take(event.dataTransfer.files[0]);
});
// A picture that is dropped outside the pad must not replace the page.
for (const name of ['dragover', 'drop']) window.addEventListener(name, (event) => event.preventDefault());
$('file').addEventListener('change', () => take($('file').files[0]));
$('clear').addEventListener('click', () => {
  clear();
  $('answer').textContent = 'No answer yet.';
  $('bars').replaceChildren();
  $('correct').hidden = true;
});
$('correct').addEventListener('submit', (event) => {
  event.preventDefault();
  attempt(async () => {
    const given = Object.assign({ label: $('label').value }, last);
    await ask('/feedback', { method: 'POST', body: JSON.stringify(given) });
    $('told').textContent = 'Recorded.';
  });
});
// The selection is in the URL, so that a link shows the same.
const chosen = (name) => new URLSearchParams(location.search).get(name);
function choose(name, value) {
  const query = new URLSearchParams(location.search);
  if (value === null) query.delete(name); else query.set(name, value);
  const text = query.toString();
  history.replaceState(null, '', location.pathname + (text ? '?' + text : '') + location.hash);
}

async function versions() {
  const found = await ask('/api/registry').catch(() => null);
  if (!found) return;
  $('versions').hidden = $('to-versions').hidden = false;
  $('back').hidden = !session.may.change;
  const refused = Object.entries(found.refused).map(([alias, why]) => 'Cannot serve as ' + alias + ': ' + why + '.');
  $('refused').hidden = refused.length === 0;
  $('refused').textContent = refused.join(' ');
  $('rows').replaceChildren(...found.versions.map((version) => {
    const row = element('tr');
    const names = found.aliases.filter((alias) => alias.version === version.version).map((alias) => alias.alias);
    const cells = version.damaged ? { Version: version.version, Accuracy: '', Parameters: '', Added: '', Alias: [...names, version.damaged].join(', ') } : { Version: version.version, Accuracy: percent(version.accuracy), Parameters: version.parameters.toLocaleString('en'), Added: version.added.slice(0, 16).replace('T', ' '), Alias: names.join(', ') };
    for (const [name, text] of Object.entries(cells)) {
      const cell = element('td', String(text));
      if (text !== '') cell.dataset.name = name;
      row.append(cell);
    }
    const last = element('td');
    if (session.may.change && !version.damaged && !names.includes('production')) last.append(promoteButton('Promote', version.version, false));
    row.append(last);
    return row;
  }));
  const { waiting, training } = (found.retraining || { state: {} }).state;
  $('retraining').textContent = training || (waiting ? 'Retraining: ' + waiting + '.' : '');
  $('decisions').replaceChildren(...found.decisions.map((decision) => {
    const to = (decision.to ? ' version ' + decision.to : '') + (decision.action === 'promoted' ? ' to ' + decision.alias : '');
    const of = [decision.judgement_of_feedback, decision.judgement].filter((judged) => judged);
    const retrained = decision.retraining ? ' retraining, ' + decision.retraining.cause : '';
    const why = retrained + ' ' + of.flatMap((judged) => judged.reasons).concat((decision.retraining || {}).why || []).join('; ');
    const forced = decision.forced ? ', forced' : '';
    return element('li', decision.at.slice(0, 19).replace('T', ' ') + ' ' + (decision.action === 'promoted' || !decision.alias ? '' : decision.alias + ' ') + decision.action.replace('_', ' ') + to + forced + ' (' + decision.by + ').' + why);
  }));
}

function promoteButton(text, version, force) {
  const button = element('button', text);
  button.className = force ? 'danger' : 'plain';
  button.setAttribute('aria-label', text + ' version ' + version);
  button.addEventListener('click', () => attempt(() => move('/api/promote', { alias: 'production', version, force })));
  return button;
}

async function move(path, body) {
  const done = await ask(path, { method: 'POST', body: JSON.stringify(body) });
  const { action, to, judgement } = done.decision;
  const isRefused = action === 'refused';
  $('decided').textContent = isRefused ? 'Refused: ' + judgement.reasons.join('; ') + '. ' : body.alias + ' is now version ' + to + '.';
  if (isRefused) $('decided').append(promoteButton('Promote anyway', body.version, true));
  await versions();
}

$('rollback').addEventListener('click', () => attempt(() => move('/api/rollback', { alias: 'production' })));

async function begin() {
  session = await ask('/session');
  $('log-out').elements.form.value = session.form_token;
  $('log-out').hidden = !session.is_session;
  $('log-in').hidden = session.is_session || Object.values(session.may).every(Boolean);
  if (session.may.predict) {
    $('model').textContent = session.model;
  } else {
    problem(new Error('Log in with a token that allows predictions.'));
  }
  if (session.may.read) await versions();
  dispatchEvent(new Event('begun'));
}

clear();
// After all scripts.
addEventListener('DOMContentLoaded', () => attempt(begin));
