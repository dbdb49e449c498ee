// The line to the daemon: an event stream that is taken up again whenever it ends, the token, and
// the few things that can be done from here.

const line = { lastID: null, token: sessionStorage.getItem('fairlead-token'), wait_ms: 500,
  control: null, silent_ms: 8000, hasBeenLive: false };

function say(text) { setText(document.getElementById('announcer'), text); }

function showLink(state, text) {
  const link = document.getElementById('link');
  if (link.dataset.link !== state) link.dataset.link = state;
  setText(document.getElementById('link-text'), text);
  document.body.classList.toggle('stale', state === 'lost');
}

function headers() { return line.token ? { Authorization: `Bearer ${line.token}` } : {}; }

// One message of the stream.
function take(name, data, id) {
  if (id) line.lastID = id;
  const value = JSON.parse(data);
  if (name === 'hello') {
    takeHello(value);
    renderEvents();
  } else if (name === 'status') {
    takeStatus(value);
    render();
  } else if (name === 'event') {
    const isNew = Date.now() / 1000 - value.time < 5;
    if (takeEvent(value, id)) {
      renderEvents();
      if (isNew && line.hasBeenLive) say(value.text);
    }
  }
}

// Splits the stream into messages; the rest of the last one stays.
function takeText(text) {
  let end;
  while ((end = text.indexOf('\n\n')) >= 0) {
    let name = 'message', data = '', id = null;
    for (const row of text.slice(0, end).split('\n')) {
      const colon = row.indexOf(': ');
      const field = row.slice(0, colon), value = row.slice(colon + 2);
      if (field === 'event') name = value;
      if (field === 'data') data = value;
      if (field === 'id') id = value;
    }
    text = text.slice(end + 2);
    if (data) take(name, data, id);
  }
  return text;
}

async function followOnce() {
  line.control = new AbortController();
  let watchdog = null;
  const rewind = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => line.control.abort(), line.silent_ms);
  };
  rewind();
  try {
    const response = await fetch('events', {
      headers: { ...headers(), ...(line.lastID ? { 'Last-Event-ID': line.lastID } : {}) },
      cache: 'no-store', signal: line.control.signal,
    });
    if (response.status === 401) return 'token';
    if (!response.ok) return 'lost';
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return 'lost';
      rewind();
      text = takeText(text + value);
      showLink('live', 'Live');
      line.hasBeenLive = true;
      line.wait_ms = 500;
    }
  } catch {
    return 'lost';
  } finally {
    clearTimeout(watchdog);
  }
}

async function follow() {
  for (;;) {
    if (await followOnce() === 'token') {
      showLink('waiting', 'Token needed');
      if (!await askToken(line.token ? 'That token was not the right one.'
        : 'This daemon shows its state to those who know its token.')) {
        await new Promise((resolve) => {
          document.getElementById('link').addEventListener('click', resolve, { once: true });
        });
      }
      continue;
    }
    showLink('lost', line.hasBeenLive ? 'Reconnecting…' : 'No answer');
    await new Promise((resolve) => setTimeout(resolve, line.wait_ms));
    line.wait_ms = Math.min(5000, line.wait_ms * 1.5);
  }
}

// MARK: Token and actions

function askToken(why) {
  const dialog = document.getElementById('token-dialog'), input = document.getElementById('token');
  setText(document.getElementById('token-why'), why);
  input.value = '';
  dialog.showModal();
  return new Promise((resolve) => {
    document.getElementById('token-cancel').onclick = () => dialog.close('cancel');
    document.getElementById('token-form').onsubmit = () => {
      line.token = input.value.trim();
      sessionStorage.setItem('fairlead-token', line.token);
    };
    dialog.onclose = () => resolve(dialog.returnValue !== 'cancel' && !!line.token);
  });
}

function confirmed(title, text, yes) {
  const dialog = document.getElementById('confirm-dialog');
  setText(document.getElementById('confirm-title'), title);
  setText(document.getElementById('confirm-text'), text);
  setText(document.getElementById('confirm-yes'), yes);
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === 'yes');
  });
}

async function askDrain(key) {
  const found = serversOf(model.status).find((one) => one.key === key);
  if (!found) return;
  const { backend, server } = found;
  const verb = server.isDrained ? 'Undrain' : 'Drain';
  const open = plural(server.traffic.sessions, 'open session');
  const text = server.isDrained ? 'It takes new sessions again.'
    : `It takes no new sessions; ${open} go${server.traffic.sessions === 1 ? 'es' : ''} on.`;
  if (!await confirmed(`${verb} ${server.name}?`, text, verb)) return;
  const path = ['servers', backend.name, server.name].map(encodeURIComponent).join('/');
  for (let tries = 0; tries < 2; tries += 1) {
    const response = await fetch(`${path}/${verb.toLowerCase()}`,
      { method: 'POST', headers: headers() });
    if (response.status !== 401) {
      const answer = response.headers.get('Content-Type').startsWith('application/json')
        ? (await response.json()).messages.join('. ') : await response.text();
      return say(answer);
    }
    if (!await askToken('Changing something needs the token.')) return;
  }
}

document.addEventListener('visibilitychange', () => render());
new ResizeObserver(() => { if (!document.hidden) renderTopology(); })
  .observe(document.getElementById('topology'));
renderEvents();
follow();
