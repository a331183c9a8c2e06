// Cost against quality: what each model is worth, which ones nothing beats, and where the router is among them.
import { el, renew, svg } from "./dom.js";
import { COLOURS, figures } from "./charts.js";
import { UNKNOWN, between, count, dollars, quality } from "./format.js";
import { table } from "./tables.js";

const HEIGHT = 232;
const EDGE = { left: 56, right: 24, top: 18, bottom: 44 };
const perThousand = (usd) => dollars(usd === null ? null : 1000 * usd);

export function frontierChart(found) {
  const title = el("h3", {}, "Quality against cost");
  const points = pointsOf(found);
  if (!points.length) {
    return el("figure", { class: "chart", "data-key": "frontier-none" }, el("figcaption", {}, title),
      el("p", { class: "nothing" }, "No model has both a known price and ratings yet. Set price_usd_per_mtok and send feedback."));
  }
  return el("figure", { class: "chart", "data-key": "frontier" },
    el("figcaption", {}, title, el("p", { class: "quiet" }, "Up and left is better. Dashed: the Pareto front.")),
    el("div", { class: "plot frontier", "data-paint": true, role: "img", "aria-label": summary(points), paint: (node) => paint(node, points) }),
    found.note ? el("p", { class: "note-small" }, found.note) : null,
    figures("frontier-figures", () => listed(found)),
  );
}

function pointsOf({ models, router }) {
  // a model has the colour it has in the chart of shares, whether or not others are known
  const coloured = models.map((model, i) => ({ ...model, name: model.model_id, colour: COLOURS[i % COLOURS.length] }));
  const points = coloured.filter((model) => model.cost_usd !== null && model.quality !== null);
  if (router && router.cost_usd !== null && router.quality !== null) {
    points.push({ ...router, name: "the router", router: true });
  }
  return points;
}

function summary(points) {
  const said = points.map((point) => `${point.name}: quality ${quality(point.quality)} at ${perThousand(point.cost_usd)} per 1,000 calls${point.on_front ? ", on the front" : ""}`);
  return `Quality against cost. ${said.join("; ")}.`;
}

const watched = new WeakSet();
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) target.paint?.(target);
});

function paint(node, points) {
  if (!watched.has(node)) {
    watched.add(node);
    resized.observe(node);
  }
  const width = Math.max(node.clientWidth, 240);
  const x = costScale(points, width);
  const y = qualityScale(points);
  const front = points.filter((point) => point.on_front).sort((a, b) => a.cost_usd - b.cost_usd);
  renew(node, svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true", focusable: "false" },
    y.ticks.map((value) => [
      svg("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y.at(value), y2: y.at(value) }),
      svg("text", { class: "tick", x: EDGE.left - 8, y: y.at(value) + 4, "text-anchor": "end" }, value.toFixed(2)),
    ]),
    x.ticks.map((value) => svg("text", { class: "tick", x: x.at(value), y: HEIGHT - 24, "text-anchor": "middle" }, perThousand(value))),
    svg("text", { class: "tick", x: width - EDGE.right, y: HEIGHT - 6, "text-anchor": "end" }, "cost per 1,000 calls"),
    svg("polyline", { class: "front", points: front.map((point) => `${x.at(point.cost_usd)},${y.at(point.quality)}`).join(" ") }),
    points.map((point) => mark(point, x, y)),
    labels(points, x, y, width),
  ));
}

function mark(point, x, y) {
  const [cx, cy] = [x.at(point.cost_usd), y.at(point.quality)];
  const known = point.low !== null && point.low !== undefined;
  const bar = known && svg("line", { class: `interval ${point.colour ?? "router"}`, x1: cx, x2: cx, y1: y.at(point.low), y2: y.at(point.high) });
  if (!point.router) return [bar, svg("circle", { class: `point ${point.colour}`, cx, cy, r: 6 })];
  return [bar, svg("path", { class: "point router", d: `M${cx} ${cy - 9}L${cx + 9} ${cy}L${cx} ${cy + 9}L${cx - 9} ${cy}Z` })];
}

// Beside their points, moved apart where they would cover one another.
function labels(points, x, y, width) {
  const placed = [];
  for (const point of [...points].sort((a, b) => y.at(a.quality) - y.at(b.quality))) {
    const left = x.at(point.cost_usd) > width * 0.6;
    const px = x.at(point.cost_usd) + (left ? -13 : 13);
    let py = y.at(point.quality) + 4;
    const near = () => placed.some((other) => Math.abs(other.py - py) < 14 && Math.abs(other.px - px) < 150);
    while (near()) py += 4;
    placed.push({ px, py });
    const text = point.name.length > 28 ? `${point.name.slice(0, 27)}\u2026` : point.name;
    point.label = svg("text", { class: point.router ? "label strong" : "label", x: px, y: py, "text-anchor": left ? "end" : "start" }, text);
  }
  return points.map((point) => point.label);
}

function costScale(points, width) {
  const costs = points.map((point) => point.cost_usd).filter((cost) => cost > 0);
  const [low, high] = [Math.min(...costs), Math.max(...costs)];
  const room = width - EDGE.left - EDGE.right;
  if (!costs.length || !(high > 8 * low)) {
    const end = (costs.length ? high : 1) * 1.25;
    return { at: (cost) => EDGE.left + (room * cost) / end, ticks: steps(0, end, width < 420 ? 3 : 5) };
  }
  const [from, to] = [Math.log10(low / 1.8), Math.log10(high * 1.8)];
  const at = (cost) => EDGE.left + (room * (Math.log10(Math.max(cost, low / 1.8)) - from)) / (to - from);
  const ticks = [];
  for (let power = Math.ceil(from); power <= to; power += 1) ticks.push(10 ** power);
  return { at, ticks: ticks.length > 1 ? ticks : [low, high] };
}

function qualityScale(points) {
  const ends = points.flatMap((point) => [point.quality, point.low ?? point.quality, point.high ?? point.quality]);
  const low = Math.max(0, Math.floor(20 * Math.min(...ends) - 0.5) / 20);
  const high = Math.min(1, Math.max(low + 0.1, Math.ceil(20 * Math.max(...ends)) / 20));
  const room = HEIGHT - EDGE.top - EDGE.bottom;
  return { at: (value) => EDGE.top + (room * (high - value)) / (high - low), ticks: steps(low, high, 5) };
}

function steps(low, high, most) {
  const size = 10 ** Math.floor(Math.log10((high - low) / most));
  const step = [1, 2, 5, 10].map((times) => times * size).find((one) => (high - low) / one <= most);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9; i += 1) found.push(Number((i * step).toPrecision(10)));
  return found;
}

function listed({ models, router }) {
  const columns = [
    { name: "Model", cell: (one) => one.model_id ?? "the router" },
    { name: "Cost per 1,000 calls", number: true, cell: (one) => perThousand(one.cost_usd) },
    { name: "Quality", number: true, cell: (one) => quality(one.quality) },
    { name: "Surely between", number: true, cell: (one) => between(one.low, one.high, quality) },
    { name: "Ratings", number: true, cell: (one) => count(one.ratings) },
    { name: "On the front", cell: (one) => (one.on_front === undefined ? UNKNOWN : one.on_front ? "yes" : "no") },
  ];
  return table("Quality against cost, by model", columns, [...models, ...(router ? [router] : [])], { label: "unseen" });
}
