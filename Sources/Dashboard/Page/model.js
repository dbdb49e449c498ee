'use strict';
// What the page knows: the last status, short series of it, and events. Every list is bounded, so
// that a page that stays open for days is as small as a new one.

const limits = { points: 120, events: 200, series: 600 };

const model = {
  status: null,
  before: null,
  writes: false,
  run: null,
  events: [],
  series: new Map(),
};

// A series of the last two minutes; null where nothing is known.
function push(name, value) {
  let list = model.series.get(name);
  if (!list) {
    if (model.series.size >= limits.series) return;
    list = [];
    model.series.set(name, list);
  }
  list.push(value);
  if (list.length > limits.points) list.splice(0, list.length - limits.points);
}

function serverKey(backend, server) { return `${backend.name}/${server.name}`; }

function serversOf(status) {
  return status.backends.flatMap((backend) =>
    backend.servers.map((server) => ({ backend, server, key: serverKey(backend, server) })));
}

// Mean time to connect since the status before, in milliseconds; null without a new connection.
function connectTime(server, earlier) {
  const now = server.connectTimes, then = earlier && earlier.connectTimes;
  if (!now || !then) return null;
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  const count = sum(now.counts) - sum(then.counts);
  return count > 0 ? Math.max(0, (now.sum - then.sum) / count * 1000) : null;
}

function takeStatus(status) {
  const earlier = model.status && model.status.pid === status.pid ? model.status : null;
  const known = new Map(earlier ? serversOf(earlier).map((one) => [one.key, one.server]) : []);
  const names = new Set(['rate', 'bytes', 'sessions', 'connect']);
  push('rate', status.rate);
  push('sessions', status.sessions);
  push('bytes', status.frontends.reduce((sum, one) => sum + one.traffic.bytesRate, 0));
  const times = [];
  for (const { server, key } of serversOf(status)) {
    const time = connectTime(server, known.get(key));
    if (time !== null) times.push(time);
    push(`connect ${key}`, time);
    push(`rate ${key}`, server.traffic.rate);
    names.add(`connect ${key}`);
    names.add(`rate ${key}`);
  }
  push('connect', times.length ? times.reduce((a, b) => a + b, 0) / times.length : null);
  for (const name of [...model.series.keys()]) if (!names.has(name)) model.series.delete(name);
  model.before = earlier;
  model.status = status;
}

// Newest first. An event that is there already is not there twice.
function takeEvent(event, id) {
  if (id && model.events.some((one) => one.id === id)) return false;
  model.events.unshift({ ...event, id });
  if (model.events.length > limits.events) model.events.length = limits.events;
  return true;
}

// Another feed of events: what is remembered comes again.
function takeHello(hello) {
  if (model.run !== hello.run) model.events = [];
  model.run = hello.run;
  model.writes = hello.writes;
}

function latest(name) {
  const list = model.series.get(name) || [];
  for (let index = list.length - 1; index >= 0; index -= 1) {
    if (list[index] !== null) return list[index];
  }
  return null;
}

// Good, warn, bad or rest: which colour and which sign a state has.
function toneOf(state) {
  switch (state) {
    case 'up': case 'master': case 'done': return 'good';
    case 'down': case 'fault': case 'failed': return 'bad';
    case 'stopping': case 'drained': case 'draining': return 'warn';
    default: return 'rest';
  }
}
