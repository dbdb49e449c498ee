// Small drawings and words for numbers.

const svgNames = 'http://www.w3.org/2000/svg';

function svg(tag, attributes = {}, children = []) {
  const element = document.createElementNS(svgNames, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function html(tag, attributes = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A sign for each tone, so that colour is never alone: tick, cross, half disc, bar.
const signs = {
  good: () => [svg('path', { d: 'M3 7.5 6 10.5 11 4' })],
  bad: () => [svg('path', { d: 'M3.5 3.5l7 7M10.5 3.5l-7 7' })],
  warn: () => [
    svg('circle', { cx: 7, cy: 7, r: 5 }),
    svg('path', { d: 'M7 2a5 5 0 0 1 0 10z', class: 'solid' }),
  ],
  rest: () => [svg('path', { d: 'M3 7h8' })],
};

function sign(tone, attributes = {}) {
  return svg('svg', {
    viewBox: '0 0 14 14', width: 14, height: 14, class: 'glyph', 'aria-hidden': 'true',
    ...attributes,
  }, signs[tone]());
}

function badge(state, word = state) {
  const tone = toneOf(state);
  return html('span', { class: `badge ${tone}` }, [sign(tone, { width: 12, height: 12 }), word]);
}

// A line over the last two minutes with the area below it. Reused: only its paths change.
function sparkline(label) {
  const stroke = svg('path', { class: 'stroke' });
  const under = svg('path', { class: 'under' });
  const base = svg('path', { class: 'base', d: 'M0 29.5H240' });
  const picture = svg('svg', {
    viewBox: '0 0 240 30', preserveAspectRatio: 'none', class: 'spark', role: 'img',
    'aria-label': label,
  }, [base, under, stroke]);
  return { picture, stroke, under };
}

function drawSpark(spark, values, floor) {
  const points = [];
  const top = Math.max(floor, ...values.filter((value) => value !== null));
  const step = 240 / (limits.points - 1);
  const start = limits.points - values.length;
  values.forEach((value, index) => {
    if (value === null) return;
    const x = (start + index) * step;
    points.push(`${x.toFixed(1)} ${(28 - value / top * 26).toFixed(1)}`);
  });
  if (points.length < 2) {
    spark.stroke.setAttribute('d', '');
    spark.under.setAttribute('d', '');
    return;
  }
  const first = points[0].split(' ')[0], last = points[points.length - 1].split(' ')[0];
  spark.stroke.setAttribute('d', `M${points.join('L')}`);
  spark.under.setAttribute('d', `M${first} 29.5L${points.join('L')}L${last} 29.5Z`);
}

// MARK: Words

function count(value) {
  if (value < 10000) return String(Math.round(value));
  if (value < 1e6) return `${(value / 1e3).toFixed(1)}k`;
  return value < 1e9 ? `${(value / 1e6).toFixed(1)}M` : `${(value / 1e9).toFixed(1)}G`;
}

function rate(value) { return value < 10 ? value.toFixed(1) : count(value); }

function bytes(value) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let index = 0;
  while (value >= 1000 && index < units.length - 1) { value /= 1000; index += 1; }
  return [value >= 100 || index === 0 ? Math.round(value).toString() : value.toFixed(1),
    units[index]];
}

function milliseconds(value) {
  if (value === null) return '–';
  if (value < 1) return `${value.toFixed(2)} ms`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

function age(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
  return `${Math.floor(whole / 86400)} days`;
}

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});
function clock(seconds) { return clockFormat.format(new Date(seconds * 1000)); }

function plural(number, word) { return `${number} ${word}${number === 1 ? '' : 's'}`; }
