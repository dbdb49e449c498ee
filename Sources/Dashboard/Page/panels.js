// Tiles, servers, virtual addresses and events.

const panels = { tiles: new Map(), rows: new Map(), signature: '' };

// MARK: Tiles

function tile(name, title) {
  let made = panels.tiles.get(name);
  if (made) return made;
  const heading = html('h3', {}, [title]);
  const value = html('p', { class: 'value' });
  const detail = html('p', { class: 'detail' });
  const spark = sparkline(`${title}, the last two minutes`);
  const element = html('div', { class: 'tile' }, [heading, value, detail, spark.picture]);
  document.getElementById('tiles').append(element);
  made = { element, heading, value, detail, spark };
  panels.tiles.set(name, made);
  return made;
}

function fillTile(name, title, value, unit, detail, tone = '') {
  const made = tile(name, title);
  setText(made.heading, title);
  const text = unit ? `${value} ${unit}` : value;
  if (made.value.dataset.text !== text) {
    made.value.dataset.text = text;
    made.value.replaceChildren(value, ...(unit ? [html('small', {}, [unit])] : []));
  }
  setText(made.detail, detail);
  made.element.className = `tile ${tone}`;
  return made;
}

// One piece for each server; the words above say the same.
function fillStrip(made, tones) {
  const signature = tones.join();
  if (made.strip === signature) return;
  made.strip = signature;
  if (!made.stripPlace) {
    made.stripPlace = html('div', { class: 'strip', 'aria-hidden': 'true' });
    made.element.append(made.stripPlace);
  }
  made.stripPlace.replaceChildren(...tones.slice(0, 60).map((tone) => html('i', { class: tone })));
}

const stateWords = {
  master: 'Held here', backup: 'Standing by', fault: 'Fault', initialize: 'Starting',
};

function renderStateTile(routers, now) {
  const held = routers.filter((one) => one.state === 'master').length;
  const isBad = routers.some((one) => one.state === 'fault'
    || (one.state === 'master' && one.health === 'unhealthy'));
  const several = routers.length > 1, first = routers[0];
  const made = fillTile('state', several ? 'Virtual addresses' : 'Virtual address',
    several ? `${held} of ${routers.length}` : stateWords[first.state] || first.state,
    several ? 'held here' : '',
    several ? routers.map((one) => one.addresses[0] || one.name).join(', ')
      : `${first.addresses[0] || first.name} for ${age(now - first.since)}`
        + (first.health && first.health !== 'healthy' ? `, ${first.health}` : ''),
    isBad ? 'bad' : held ? 'good' : '');
  made.spark.picture.style.display = 'none';
  fillStrip(made, routers.map((one) => toneOf(one.state)));
}

function renderTiles(status) {
  const servers = serversOf(status);
  const usable = status.backends.reduce((sum, one) => sum + one.usableServers, 0);
  const open = status.backends.filter((one) => one.isFailedOpen);
  const short = usable < servers.length;
  const first = status.routers[0];
  if (first) renderStateTile(status.routers, status.now);
  const made = fillTile('servers', 'Usable servers', `${usable}`, `of ${servers.length}`,
    open.length ? open.map((one) => `${one.name}: ${readyWords(one)}`).join('; ')
      : short ? servers.filter((one) => one.server.state !== 'up')
      .map((one) => `${one.server.name} ${one.server.state}`).join(', ') : 'all take sessions',
    open.length || (usable === 0 && servers.length) ? 'bad' : short ? 'warn' : 'good');
  made.spark.picture.style.display = 'none';
  fillStrip(made, servers.map((one) => toneOf(one.server.state)));
  drawSpark(fillTile('sessions', 'Open sessions', count(status.sessions), '',
    `of ${count(status.sessionLimit)} at most`).spark, model.series.get('sessions') || [], 4);
  drawSpark(fillTile('rate', 'New sessions', rate(status.rate), 'per second',
    `${count(status.accepted)} since the start`).spark, model.series.get('rate') || [], 2);
  const [value, unit] = bytes(latest('bytes') || 0);
  drawSpark(fillTile('bytes', 'Throughput', value, `${unit}/s`,
    'in both directions').spark, model.series.get('bytes') || [], 1000);
  drawSpark(fillTile('connect', 'Time to connect', milliseconds(latest('connect')), '',
    'mean of all servers').spark, model.series.get('connect') || [], 0.2);
}

// MARK: Servers

function buildServers(status) {
  const several = status.backends.length > 1;
  const tables = status.backends.map((backend) => {
    const note = html('caption', several ? {} : { class: 'quiet' });
    const head = ['Server', 'State', 'Last check', 'Sessions', 'Per second', 'Time to connect',
      'Trend', ...(model.writes ? ['Action'] : [])].map((text, index) =>
      html('th', { scope: 'col', ...(index >= 3 && index <= 5 ? { class: 'number' } : {}) },
        [text]));
    const body = html('tbody');
    for (const server of backend.servers) body.append(buildRow(backend, server));
    const table = html('table', {}, [note, html('thead', {}, [html('tr', {}, head)]), body]);
    panels.rows.set(`backend ${backend.name}`, { note });
    return html('div', { class: 'scroller' }, [table]);
  });
  document.getElementById('servers').replaceChildren(...(tables.length ? tables
    : [html('p', { class: 'empty' }, ['This daemon has no servers: it holds addresses only.'])]));
}

function buildRow(backend, server) {
  const key = serverKey(backend, server);
  const name = html('th', { scope: 'row' }, [server.name,
    html('span', { class: 'address' }, [server.address || 'no address'])]);
  const state = html('td'), words = html('td', { class: 'words' });
  const sessions = html('span'), meter = html('i');
  const perSecond = html('td', { class: 'number', 'data-label': 'Per second' });
  const time = html('td', { class: 'number', 'data-label': 'Time to connect' });
  const spark = sparkline(`Time to connect to ${server.name}, the last two minutes`);
  const cells = [name, state, words,
    html('td', { class: 'number', 'data-label': 'Sessions' },
      [sessions, html('span', { class: 'meter', 'aria-hidden': 'true' }, [meter])]),
    perSecond, time, html('td', { class: 'chart', 'data-label': 'Time to connect, two minutes' },
      [spark.picture])];
  const row = { name, state, words, sessions, meter, perSecond, time, spark, shown: '' };
  if (model.writes) {
    row.button = html('button', { type: 'button' });
    row.button.addEventListener('click', () => askDrain(key));
    cells.push(html('td', { class: 'action' }, [row.button]));
  }
  panels.rows.set(key, row);
  return html('tr', {}, cells);
}

// How many servers can be used, and whether they are used without being ready.
function readyWords(backend) {
  const all = backend.servers.length;
  return backend.isFailedOpen ? `0 of ${all} ready, fails open`
    : `${backend.usableServers} of ${all} usable`;
}

function renderServers(status) {
  const signature = JSON.stringify([model.writes, status.backends.map((one) =>
    [one.name, one.servers.map((server) => [server.name, server.address])])]);
  if (signature !== panels.signature) {
    panels.signature = signature;
    panels.rows.clear();
    buildServers(status);
  }
  for (const backend of status.backends) {
    const most = Math.max(1, ...backend.servers.map((one) => one.traffic.sessions));
    const note = panels.rows.get(`backend ${backend.name}`).note;
    setText(note, `${backend.name}: ${readyWords(backend)}`);
    note.classList.toggle('quiet', status.backends.length === 1 && !backend.isFailedOpen);
    for (const server of backend.servers) {
      const key = serverKey(backend, server);
      updateRow(panels.rows.get(key), key, server, most, status.now);
    }
  }
  const queued = status.backends.reduce((sum, one) => sum + one.queued, 0);
  setText(document.getElementById('servers-note'),
    queued ? `${plural(queued, 'session')} waiting` : '');
}

function updateRow(row, key, server, most, now) {
  const since = server.since ? ` for ${age(now - server.since)}` : '';
  const shown = `${server.state}${server.isFailedOpen ? ', open' : ''}`;
  if (row.shown !== shown) {
    row.shown = shown;
    row.state.replaceChildren(
      badge(server.state, shown + (server.isBackup ? ', backup' : '')));
  }
  row.state.title = `${server.state}${since}`;
  const check = server.check;
  setText(row.words, check ? `${check.words || check.status} in ${check.duration_ms} ms`
    : server.isChecked ? 'not checked yet' : 'no checks');
  setText(row.sessions, count(server.traffic.sessions));
  row.meter.style.width = `${server.traffic.sessions / most * 100}%`;
  setText(row.perSecond, rate(server.traffic.rate));
  setText(row.time, milliseconds(latest(`connect ${key}`)));
  drawSpark(row.spark, model.series.get(`connect ${key}`) || [], 0.2);
  if (row.button) {
    setText(row.button, server.isDrained ? 'Undrain' : 'Drain');
    row.button.setAttribute('aria-label', `${server.isDrained ? 'Undrain' : 'Drain'} ${key}`);
  }
}

// MARK: Virtual addresses

function renderRouters(status) {
  const card = document.getElementById('routers-card');
  card.hidden = status.routers.length === 0;
  card.parentElement.classList.toggle('single', card.hidden);
  const words = { master: 'master', backup: 'backup', fault: 'fault', initialize: 'starting' };
  const made = status.routers.map((one) => {
    const dropped = Object.values(one.drops).reduce((a, b) => a + b, 0);
    const facts = [['Master', one.master || 'not heard'], ['Priority', one.priority],
      ...(one.health ? [['Health', one.health]] : []),
      ['Interface', one.interface], ['Router id', one.id],
      ['Adverts', `${count(one.advertsSent)} sent, ${count(one.advertsReceived)} heard`],
      ['Dropped', count(dropped)]];
    if (one.takeover) facts.push(['Last takeover', milliseconds(one.takeover * 1000)]);
    return html('article', { class: 'router' }, [
      html('div', { class: 'router-head' }, [html('h3', {}, [one.addresses.join(', ') || one.name]),
        badge(one.state, words[one.state] || one.state)]),
      html('p', {}, [`${one.name}: ${one.state} for ${age(status.now - one.since)}`
        + (one.reason ? `, because: ${one.reason}` : '')
        + (one.standing ? `. Now ${one.standing}` : '')
        + (one.faults.length ? `. Wrong: ${one.faults.join(', ')}` : '')]),
      html('dl', {}, facts.map(([term, value]) =>
        html('div', {}, [html('dt', {}, [term]), html('dd', {}, [String(value)])]))),
    ]);
  });
  document.getElementById('routers').replaceChildren(...made);
}

// MARK: Events

function renderEvents() {
  const list = document.getElementById('events');
  const shown = model.events.map((event) => {
    const tone = event.to ? toneOf(event.to) : 'rest';
    const date = new Date(event.time * 1000);
    return html('li', { class: tone }, [
      html('time', { datetime: date.toISOString(), title: date.toLocaleString() },
        [clock(event.time)]),
      sign(tone), html('p', {}, [event.text])]);
  });
  list.replaceChildren(...(shown.length ? shown : [html('li', {}, ['Nothing has happened yet.'])]));
  setText(document.getElementById('events-note'),
    model.events.length >= limits.events ? `the last ${limits.events}` : '');
}

function render() {
  const status = model.status;
  if (!status || document.hidden) return;
  const facts = [status.node, status.program, plural(status.workers, 'worker'),
    `up ${age(status.now - status.started)}`];
  setText(document.getElementById('about'), facts.filter(Boolean).join(' · '));
  renderTiles(status);
  renderTopology();
  renderServers(status);
  renderRouters(status);
}
