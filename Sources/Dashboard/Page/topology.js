// The drawing: virtual address, this node, frontends, servers. Built anew when its parts or its
// width change; otherwise only words, tones and flows do.

const topology = { signature: '', boxes: new Map(), edges: [], most: 24 };

// Columns of parts: each with a key, words, a tone and the keys it leads to.
function topologyColumns(status) {
  const servers = serversOf(status).slice(0, topology.most);
  const frontends = status.frontends.slice(0, topology.most);
  const columns = [];
  if (status.routers.length) {
    columns.push({ title: 'Virtual address', parts: status.routers.slice(0, 12).map(routerPart) });
  }
  columns.push({
    title: 'This node',
    parts: [{
      key: 'node', tone: 'plain', name: status.node || location.hostname || 'this node',
      sub: `${count(status.sessions)} open, ${rate(status.rate)}/s`,
      leads: frontends.map((one) => `f ${one.name}`), flows: status.rate > 0,
    }],
  });
  columns.push({
    title: plural(status.frontends.length, 'frontend').replace(/^\d+ f/, 'F'),
    parts: frontends.map((one) => ({
      key: `f ${one.name}`, tone: one.isDisabled ? 'rest' : 'plain', name: one.name,
      sub: one.isDisabled ? 'disabled' : one.addresses.join(' '), mono: !one.isDisabled,
      off: one.isDisabled, flows: one.traffic.rate > 0,
      leads: servers.filter((each) => each.backend.name === one.backend)
        .map((each) => `s ${each.key}`),
    })),
  });
  const backends = new Set(servers.map((each) => each.backend.name));
  columns.push({
    title: backends.size === 1 ? `Servers of ${[...backends][0]}` : 'Servers',
    parts: servers.map(({ backend, server, key }) => ({
      key: `s ${key}`, tone: toneOf(server.state), name: server.name,
      sub: server.state === 'up'
        ? `${count(server.traffic.sessions)} open, ${rate(server.traffic.rate)}/s`
        : `${server.state}${server.isFailedOpen ? ', open' : ''}, ${count(server.traffic.sessions)} open`,
      off: !server.isFailedOpen && (server.state === 'down' || server.state === 'maintenance'),
      flows: server.traffic.rate > 0,
      share: backend.traffic.rate > 0 ? server.traffic.rate / backend.traffic.rate : 0,
    })),
  });
  return columns;
}

function routerPart(router) {
  const held = router.state === 'master';
  const isBad = held && router.health === 'unhealthy';
  const words = isBad ? 'held by this node, unhealthy' : held ? 'held by this node'
    : router.state === 'fault' ? 'fault on this node'
      : router.master ? `held by ${router.master}` : 'held by nobody that is heard';
  return {
    key: `v ${router.name}`, tone: isBad ? 'bad' : toneOf(router.state),
    name: router.addresses[0] || router.name, sub: words, leads: ['node'], off: !held,
    nameMono: true, flows: held && !!model.status && model.status.rate > 0,
  };
}

function place(columns, width) {
  return width < 720 ? placeTree(columns, width) : placeColumns(columns, width);
}

function placeColumns(columns, width) {
  const room = (width - 60 * (columns.length - 1)) / columns.length;
  const box = { width: Math.min(250, room), height: 54 };
  const pitch = 68, head = 30;
  const height = head + Math.max(...columns.map((one) => one.parts.length), 1) * pitch - 14 + 2;
  const places = new Map(), titles = [];
  columns.forEach((column, index) => {
    const x = 1 + index * (width - 2 - box.width) / Math.max(1, columns.length - 1);
    const start = head + (height - head - 2 - (column.parts.length * pitch - 14)) / 2;
    titles.push({ x, y: 16, text: column.title });
    column.parts.forEach((part, row) => {
      places.set(part.key, { x, y: start + row * pitch, ...box });
    });
  });
  const path = (a, b) => {
    const x1 = a.x + a.width, y1 = a.y + a.height / 2, y2 = b.y + b.height / 2;
    const bend = (b.x - x1) / 2;
    return `M${x1} ${y1}C${x1 + bend} ${y1} ${b.x - bend} ${y2} ${b.x} ${y2}`;
  };
  return { places, titles, height, path };
}

// On a narrow page: a tree, each level a little further in.
function placeTree(columns, width) {
  const places = new Map();
  let y = 2;
  columns.forEach((column, level) => {
    for (const part of column.parts) {
      places.set(part.key, { x: 1 + level * 16, y, width: width - 2 - level * 16, height: 52 });
      y += 62;
    }
  });
  const path = (a, b) => {
    const x = a.x + 8, y2 = b.y + b.height / 2;
    return `M${x} ${a.y + a.height}V${y2 - 6}Q${x} ${y2} ${x + 6} ${y2}H${b.x}`;
  };
  return { places, titles: [], height: y - 8, path };
}

function buildTopology(columns, width) {
  const { places, titles, height, path } = place(columns, width);
  const edges = svg('g'), boxes = svg('g');
  topology.boxes.clear();
  topology.edges = [];
  const parts = columns.flatMap((column) => column.parts);
  const known = new Map(parts.map((part) => [part.key, part]));
  const drawn = new Set();
  for (const part of parts) {
    for (const target of part.leads || []) {
      const from = places.get(part.key), to = places.get(target);
      // In a tree one way to each server is enough.
      if (!to || !known.has(target) || (width < 720 && drawn.has(target))) continue;
      drawn.add(target);
      const line = svg('path', { d: path(from, to), class: 'edge' });
      const flow = svg('path', { d: path(from, to), class: 'flow' });
      edges.append(line, flow);
      topology.edges.push({ from: part.key, to: target, line, flow });
    }
  }
  for (const part of parts) boxes.append(buildBox(part, places.get(part.key)));
  const heads = titles.map((one) =>
    svg('text', { x: one.x, y: one.y, class: 'column' }, [one.text]));
  const picture = svg('svg', {
    viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-labelledby': 'topology-words',
  }, [svg('desc', { id: 'topology-words' }), ...heads, edges, boxes]);
  document.getElementById('topology').replaceChildren(picture);
}

function clipped(text, width, perLetter) {
  const most = Math.max(4, Math.floor(width / perLetter));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function buildBox(part, at) {
  const group = svg('g', { transform: `translate(${at.x} ${at.y})` });
  const hasSign = part.tone !== 'plain';
  const left = hasSign ? 36 : 16;
  const name = svg('text', { x: left, y: 23, class: part.nameMono ? 'name mono' : 'name' });
  const sub = svg('text', { x: left, y: 41, class: part.mono ? 'sub mono' : 'sub' });
  const signPlace = svg('g', { transform: `translate(13 ${at.height / 2 - 7})` });
  group.append(svg('rect', { width: at.width, height: at.height, rx: 10, class: 'box' }),
    signPlace, name, sub);
  topology.boxes.set(part.key, {
    group, name, sub, signPlace, tone: null, room: at.width - left - 10,
  });
  return group;
}

function updateTopology(columns) {
  const parts = new Map(columns.flatMap((column) => column.parts).map((part) => [part.key, part]));
  for (const [key, box] of topology.boxes) {
    const part = parts.get(key);
    setText(box.name, clipped(part.name, box.room, part.nameMono ? 7.6 : 7.4));
    setText(box.sub, clipped(part.sub, box.room, part.mono ? 7 : 6.3));
    if (box.tone === part.tone) continue;
    box.tone = part.tone;
    box.group.setAttribute('class', part.tone);
    box.signPlace.replaceChildren(...(part.tone === 'plain' ? [] : [sign(part.tone)]));
  }
  for (const edge of topology.edges) {
    const from = parts.get(edge.from), to = parts.get(edge.to);
    const off = !!(from.off || to.off);
    edge.line.setAttribute('class', off ? 'edge off' : 'edge');
    const flows = !off && from.flows && (to.flows || to.key === 'node');
    edge.flow.style.display = flows ? '' : 'none';
    edge.flow.style.strokeWidth = String(2 + 2.5 * (to.share === undefined ? 0.5 : to.share));
  }
}

function describeTopology(status) {
  const held = status.routers.map((one) => `${one.addresses.join(', ')}: ${routerPart(one).sub}`);
  const fronts = status.frontends.map((one) => `frontend ${one.name} on ${one.addresses.join(', ')}`
    + (one.backend ? ` leads to ${one.backend}` : ''));
  const servers = serversOf(status).map(({ key, server }) => `${key} is ${server.state}`);
  return [...held, ...fronts, ...servers].join('. ');
}

function renderTopology() {
  const status = model.status;
  if (!status) return;
  const columns = topologyColumns(status);
  const width = Math.max(280, Math.floor(
    document.getElementById('topology').getBoundingClientRect().width
    - parseFloat(getComputedStyle(document.getElementById('topology')).paddingLeft) * 2));
  const signature = JSON.stringify([width, columns.map((one) => [one.title,
    one.parts.map((part) => [part.key, part.tone === 'plain', part.leads])])]);
  if (signature !== topology.signature) {
    topology.signature = signature;
    buildTopology(columns, width);
  }
  updateTopology(columns);
  const words = document.getElementById('topology-words');
  if (words) setText(words, describeTopology(status));
  const all = serversOf(status).length;
  setText(document.getElementById('topology-note'),
    all > topology.most ? `the first ${topology.most} of ${all} servers` : '');
}
