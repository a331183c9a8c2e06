// Per stage: what serves it, what should, and why; where the quality is too low; which models are being tried.
import { readIfThere } from "../api.js";
import { el } from "../dom.js";
import { UNKNOWN, count, moment, percent, place, quality, signed } from "../format.js";
import { chip, code, empty, heading, missing, panel, tier } from "../parts.js";
import { answeredBy, served } from "../serving.js";
import { table } from "../tables.js";

async function load() {
  const [routing, underperforming] = await Promise.all([readIfThere("/v1/routing"), readIfThere("/v1/underperforming?limit=20")]);
  return { routing: routing?.data ?? null, worst: underperforming?.data ?? [] };
}

function view({ routing, worst }) {
  const lead = "What serves every stage now, and whether another tier should. Calls of the last day, ratings of the last week.";
  if (!routing) return [heading("Routing", lead), missing("Routing by stage")];
  if (!routing.length) {
    return [heading("Routing", lead), empty("No stage is known yet.", "Name one with each call: ", code('metadata={"workflow": "review", "stage": "analysis"}'), ".")];
  }
  const probed = routing.filter((row) => row.probes?.length);
  return [heading("Routing", lead), stages(routing), underperformers(worst), probes(probed)];
}

function stages(routing) {
  const columns = [
    { name: "Stage", cell: (row) => place(row) },
    { name: "Served by", cell: (row) => [served(row), since(row)] },
    { name: "Answered by", cell: answeredBy },
    { name: "Recommendation", cell: recommendation },
    { name: "Confidence", number: true, cell: (row) => percent(row.recommendation?.confidence, 0) },
    { name: "Quality", number: true, cell: (row) => qualityOf(row) },
    { name: "Trend", cell: (row) => trend(row.trend) },
  ];
  return panel("Stages", table("Stages, what serves them and what is recommended", columns, routing, { label: "unseen", key: place, mark: (row) => row.underperforming && "warn" }));
}

const since = (row) => (row.serving?.since ? el("span", { class: "note-small block" }, `since ${moment(row.serving.since)}`) : null);

function recommendation({ recommendation: advice }) {
  if (!advice) return UNKNOWN;
  const moves = advice.recommended_tier !== advice.current_tier;
  return [moves ? [tier(advice.current_tier), " \u2192 ", tier(advice.recommended_tier)] : ["stay with ", tier(advice.recommended_tier)],
    el("span", { class: "note-small block" }, advice.reason)];
}

function qualityOf({ quality: known }) {
  const mean = known?.mean ?? (typeof known === "number" ? known : known?.avg_quality);
  if (mean === undefined || mean === null) return el("span", {}, UNKNOWN, el("span", { class: "note-small block" }, "not rated"));
  const low = known.low === undefined || known.low === null ? `${count(known.ratings)} ratings` : `${quality(known.low)} to ${quality(known.high)}`;
  return [quality(mean), low && el("span", { class: "note-small block" }, low)];
}

function trend(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (Math.abs(value) < 0.02) return "steady";
  return chip(`${value > 0 ? "\u25b2 better" : "\u25bc worse"} ${signed(value, 2)}`, value > 0 ? "good short" : "bad short");
}

function underperformers(worst) {
  if (!worst.length) return panel("Below the wanted quality", el("p", { class: "quiet" }, "No rated stage is."));
  const columns = [
    { name: "Workflow", cell: (row) => row.workflow },
    { name: "Stage", cell: (row) => row.stage },
    { name: "Tier", cell: (row) => tier(row.tier) },
    { name: "Quality", number: true, cell: (row) => quality(row.avg_quality) },
    { name: "Ratings", number: true, cell: (row) => count(row.sample_count) },
    { name: "Trend", cell: (row) => trend(row.recent_trend) },
  ];
  return panel("Below the wanted quality", table("Stages and tiers below the wanted quality, the worst first", columns, worst));
}

function probes(probed) {
  if (!probed.length) return panel("Probes under way", el("p", { class: "quiet" }, "No other model is being tried."));
  const rows = probed.flatMap((row) => row.probes.map((probe) => ({ ...probe, place: place(row) })));
  const columns = [
    { name: "Stage", cell: (row) => row.place },
    { name: "Tries", cell: (row) => row.model_id },
    { name: "Share of requests", number: true, cell: (row) => percent(row.share, 1) },
    { name: "Calls", number: true, cell: (row) => count(row.requests) },
    { name: "Ratings", number: true, cell: (row) => count(row.ratings) },
  ];
  return panel("Probes under way", table("Models that are tried on a small share of requests", columns, rows));
}

export default { title: "Routing", read: load, view };
