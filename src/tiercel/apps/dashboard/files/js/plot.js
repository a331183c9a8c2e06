// Lines, bands and stacked areas over time, drawn by uPlot. Colours are those of the style sheet, light or dark.
/* global uPlot */
const plots = new Map(); // element -> what is drawn in it
const HEIGHT = 214;
const DAY = "\n{D} {MMM}";
// from which distance of ticks on, how they are written, and what is added where a day begins
const TIMES = [
  [86_400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", DAY, null, DAY, null, null, null, 1],
];
let theme = 0;

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  theme += 1;
  for (const node of plots.keys()) node.paint?.(node);
});

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) plots.get(target)?.plot.setSize({ width: target.clientWidth, height: HEIGHT });
});

// Draw, or only renew the figures where the same lines are drawn already.
export function draw(node, chart) {
  for (const [other, drawn] of plots) if (!other.isConnected) forget(other, drawn);
  const data = columns(chart);
  const signature = JSON.stringify([theme, chart.stacked, chart.range, chart.series.map((one) => [one.name, one.colour, Boolean(one.low)])]);
  let drawn = plots.get(node);
  if (drawn && drawn.signature !== signature) {
    forget(node, drawn);
    drawn = null;
  }
  if (drawn) {
    drawn.chart = chart;
    drawn.plot.setData(data);
  } else {
    drawn = { signature, chart };
    plots.set(node, drawn);
    drawn.plot = new uPlot(options(node, drawn), data, node);
    resized.observe(node);
  }
  readout(drawn);
}

function forget(node, drawn) {
  resized.unobserve(node);
  drawn.plot.destroy();
  plots.delete(node);
}

// One column per line; a series with an interval has three: what it is, its lower and its upper end.
function columns({ at, series, stacked }) {
  const data = [at];
  if (stacked) {
    const sums = at.map(() => 0);
    for (const one of series) {
      data.push(one.values.map((value, i) => (value === null ? null : (sums[i] += value))));
    }
    return data;
  }
  for (const one of series) data.push(one.values, ...(one.low ? [one.low, one.high] : []));
  return data;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

function options(node, drawn) {
  const colour = colours();
  const { chart } = drawn;
  const lines = [{}];
  const bands = [];
  for (const [i, one] of chart.series.entries()) {
    const stroke = colour(one.colour);
    const line = { label: one.name, stroke, width: chart.stacked ? 1 : 1.75, points: { size: 5, fill: stroke }, spanGaps: false };
    if (chart.stacked) {
      lines.push({ ...line, fill: `${stroke}b0`, points: { show: false } });
      if (i) bands.push({ series: [i + 1, i], fill: `${stroke}b0` });
      continue;
    }
    lines.push(line);
    if (!one.low) continue;
    const edge = { stroke: "transparent", width: 0, points: { show: false } };
    lines.push(edge, edge);
    bands.push({ series: [lines.length - 1, lines.length - 2], fill: `${stroke}26` });
  }
  const axis = { stroke: colour("muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  return {
    width: Math.max(node.clientWidth, 100),
    height: HEIGHT,
    series: lines,
    bands,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: !chart.stacked, size: 7 } },
    scales: { x: { range: spread(drawn) }, y: { range: chart.range ?? upwards } },
    axes: [
      { ...axis, grid: { show: false }, size: 42, space: 64, values: TIMES },
      { ...axis, grid: { stroke: colour("line"), width: 1 }, size: 62, space: 34, values: (_, ticks) => ticks.map(chart.format) },
    ],
    hooks: { setCursor: [() => readout(drawn)] },
  };
}

const spread = (drawn) => (_, low, high) => (low === high ? [low - drawn.chart.width_s, high + drawn.chart.width_s] : [low, high]);
const upwards = (_, low, high) => [0, (high || 1) * 1.1];

// The legend says what is under the cursor, and the newest figures where there is none.
function readout({ plot, chart }) {
  if (!plot) return;
  const index = plot.cursor.idx ?? null;
  const at = plot.root.closest("figure");
  if (!at) return;
  for (const [i, node] of at.querySelectorAll(".legend .value").entries()) {
    const text = chart.format(index === null ? newest(chart.series[i]?.values ?? []) : chart.series[i]?.values[index]);
    if (node.textContent !== text) node.textContent = text;
  }
  const when = at.querySelector(".when");
  const text = index === null ? "newest" : chart.moment(chart.at[index]);
  if (when && when.textContent !== text) when.textContent = text;
}

export const newest = (values) => values.findLast((value) => value !== null) ?? null;
