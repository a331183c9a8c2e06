// What the router does, what it saves, and what needs a hand: to be understood in ten seconds.
import { read, readIfThere } from "../api.js";
import { COLOURS, tierColour, timeChart } from "../charts.js";
import { el } from "../dom.js";
import { UNKNOWN, between, count, decimal, dollars, latency, percent, place, quality, signed, told } from "../format.js";
import { frontierChart } from "../frontier.js";
import { code, empty, heading, missing, panel, severity } from "../parts.js";
import { answeredBy, served } from "../serving.js";
import { table } from "../tables.js";

async function load({ range }) {
  const [overview, series, frontier, routing, alerts] = await Promise.all([
    readIfThere(`/v1/overview?time_range=${range}`),
    readIfThere(`/v1/series?time_range=${range}`),
    readIfThere(`/v1/frontier?time_range=${range}`),
    readIfThere("/v1/routing?limit=6"),
    read("/v1/alerts?status=active&limit=5"),
  ]);
  return { overview, series, frontier, routing: routing?.data ?? [], alerts: alerts.data };
}

function view({ overview, series, frontier, routing, alerts }, { rangeName }) {
  if (!overview) return [heading("Overview"), missing("The overview")];
  const begun = overview.requests > 0 || (series?.requests ?? []).some((requests) => requests > 0);
  return [
    heading("Overview"),
    attention(overview, alerts),
    begun ? null : firstSteps(rangeName),
    cards(overview),
    begun && series ? charts(series, frontier) : null,
    routing.length ? serving(routing) : null,
  ];
}

function attention(overview, alerts) {
  const store = overview.store ?? {};
  const lines = [
    ...alerts.map((alert) => el("li", {}, severity(alert.severity), " ", el("a", { href: "#/alerts" }, told(alert)))),
    overview.pending_approvals > 0 &&
      el("li", {}, el("a", { href: "#/approvals" }, overview.pending_approvals === 1 ? "1 change waits" : `${overview.pending_approvals} changes wait`), " for a yes or a no"),
    store.degraded && el("li", {}, `The store is away. ${count(store.buffered + store.kept)} events wait for it. Routing goes on.`),
    store.dropped > 0 && el("li", {}, `${count(store.dropped)} events were lost while the store was away.`),
  ].filter(Boolean);
  if (!lines.length) return el("div", { class: "attention calm", "data-key": "attention" }, el("p", { class: "strong" }, "Nothing needs a hand."), doing(overview));
  const more = (overview.active_alerts?.count ?? 0) - alerts.length;
  return el("div", { class: `attention ${graveOf(overview, store)}`, "data-key": "attention" },
    el("p", { class: "strong" }, "Needs a hand"), el("ul", {}, lines, more > 0 && el("li", {}, el("a", { href: "#/alerts" }, `${more} more alerts`))), doing(overview));
}

function graveOf({ active_alerts: alerts }, { degraded, dropped }) {
  return degraded || dropped > 0 || ["ERROR", "CRITICAL"].includes(alerts?.worst) ? "bad" : "wait";
}

function doing(overview) {
  const now = overview.decisions_per_s === null || overview.decisions_per_s === undefined ? null : `${decimal(overview.decisions_per_s, 1)} decisions a second. `;
  const { saved } = overview;
  if (!saved) return el("p", {}, now);
  const part = saved.share === null ? dollars(Math.abs(saved.usd)) : percent(Math.abs(saved.share), 0);
  return el("p", {}, now, `Calls cost ${part} ${saved.usd >= 0 ? "less" : "more"} than always asking the best model, ${saved.against}${differs(saved.quality_difference)}.`);
}

function differs(difference) {
  if (!difference || difference.mean === null) return "";
  const sure = difference.low === null ? "" : ` (${signed(difference.low)} to ${signed(difference.high)})`;
  return `; the quality served differs by ${signed(difference.mean)}${sure}`;
}

const firstSteps = (rangeName) =>
  empty(`No calls in the ${rangeName}.`, "Point an OpenAI client at ", code(`${location.origin}/v1`), " and ask for the model ", code("auto"),
    ". Rate answers with ", code("POST /v1/feedback"), ". Or choose a longer time range above. To see it at work: ", code("tiercel demo --keep"), ".");

function cards(now) {
  const before = now.previous ?? {};
  const worst = now.active_alerts?.worst;
  return el("dl", { class: "cards" },
    card("Requests", count(now.requests), change(now.requests, before.requests)),
    card("Success rate", percent(now.success_rate, 2), change(now.success_rate, before.success_rate, (by) => `${signed(100 * by, 2)} points`)),
    card("Mean latency", latency(now.latency?.mean), change(now.latency?.mean, before.latency?.mean)),
    card("p95 latency", latency(now.latency?.p95), change(now.latency?.p95, before.latency?.p95)),
    card("p99 latency", latency(now.latency?.p99), change(now.latency?.p99, before.latency?.p99)),
    card("Quality", quality(now.quality?.mean), now.quality ? rated(now.quality) : "unknown: nothing was rated"),
    card("Spend", dollars(now.spend_usd), now.unpriced_requests > 0 ? `without ${count(now.unpriced_requests)} calls of unknown price` : change(now.spend_usd, before.spend_usd)),
    card("Saved", now.saved ? dollars(now.saved.usd) : UNKNOWN, savedNote(now), "saved"),
    card("Active alerts", el("a", { href: "#/alerts" }, count(now.active_alerts?.count)), worst ? `worst: ${worst.toLowerCase()}` : "none", now.active_alerts?.count ? "bad" : ""),
    card("Waiting for approval", el("a", { href: "#/approvals" }, count(now.pending_approvals)), now.pending_approvals ? "a yes or a no is wanted" : "none"),
  );
}

const rated = ({ low, high, ratings }) => [low === null ? null : between(low, high, quality), `${count(ratings)} ratings`].filter(Boolean).join(", ");

function savedNote({ saved, saved_reason }) {
  if (!saved) return `unknown: ${saved_reason ?? "nothing to compare with yet"}`;
  const sure = saved.low_usd === null ? `interval unknown: ${saved_reason}` : between(saved.low_usd, saved.high_usd, dollars);
  return `${sure}, against always ${saved.against}`;
}

const card = (name, value, note, kind = "") => el("div", { class: `card ${kind}`, "data-key": `card-${name}` }, el("dt", {}, name), el("dd", { class: "figure" }, value), el("dd", { class: "note-small" }, note));

function change(now, before, difference = null) {
  if (now === null || now === undefined || before === null || before === undefined) return "nothing before to compare with";
  if (difference) return `${difference(now - before)} to the time before`;
  if (before === 0) return "none in the time before";
  return `${signed((100 * (now - before)) / before, 0)}\u00a0% to the time before`;
}

function charts(series, frontier) {
  const shared = { at: series.at, width_s: series.width_s };
  const line = (name, values, colour, more = {}) => ({ name, values: values ?? [], colour, ...more });
  const asLatency = (ms) => latency(ms);
  return el("section", { class: "charts", "aria-label": "Charts" },
    timeChart({ ...shared, key: "latency", title: "Latency", format: asLatency, nothing: "No call was measured.",
      series: [line("p50", series.latency?.p50, "c1"), line("p95", series.latency?.p95, "c0"), line("p99", series.latency?.p99, "c3")] }),
    timeChart({ ...shared, key: "success", title: "Success rate", format: (value) => percent(value), nothing: "No call was measured.", range: nearOne,
      series: [line("success", series.success_rate, "c1")] }),
    timeChart({ ...shared, key: "quality", title: "Quality by tier", format: quality, range: aroundRatings, nothing: "Nothing was rated. Send POST /v1/feedback with a quality from 0 to 1.",
      series: (series.tiers ?? []).map((one, i) => line(one.tier, one.quality?.mean, tierColour(one.tier, i), { low: one.quality?.low, high: one.quality?.high })) }),
    timeChart({ ...shared, key: "share", title: "Share of traffic by model", format: (value) => percent(value, 0), stacked: true, range: () => [0, 1], nothing: "No call was made.",
      series: (series.models ?? []).map((one, i) => line(one.model_id, one.share, COLOURS[i % COLOURS.length])) }),
    frontier ? frontierChart(frontier) : null,
    timeChart({ ...shared, key: "requests", title: "Requests", format: count, nothing: "No call was made.", series: [line("requests", series.requests, "c5")] }),
  );
}

const nearOne = (_, low) => [Math.max(0, Math.min(0.9, (low ?? 1) - 0.05)), 1];
const aroundRatings = (_, low, high) => [Math.max(0, (low ?? 0) - 0.05), Math.min(1, (high ?? 1) + 0.05)];

function serving(routing) {
  const columns = [
    { name: "Stage", cell: (row) => place(row) },
    { name: "Served by", cell: (row) => served(row) },
    { name: "Quality", number: true, cell: (row) => quality(row.quality?.mean) },
    { name: "Calls in a day", number: true, cell: (row) => count(row.requests) },
    { name: "Answered by", cell: (row) => answeredBy(row) },
    { name: "Why", cell: (row) => row.serving?.reason ?? (row.serving?.tier ? "where it began" : "each request is weighed by itself") },
  ];
  return panel("What serves now, the worst rated first", table("Stages and what serves them, those whose quality is worst first", columns, routing, { label: "unseen", key: place }),
    el("p", {}, el("a", { href: "#/routing" }, "All stages")));
}

export default { title: "Overview", read: load, view };
