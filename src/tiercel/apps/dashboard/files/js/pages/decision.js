// One decision: every candidate with its score or why it was out, what came of it, and what was said of it.
import { read } from "../api.js";
import { el } from "../dom.js";
import { UNKNOWN, ago, count, decimal, dollars, latency, moment, percent, place, quality, words } from "../format.js";
import { chip, empty, heading, panel, tier } from "../parts.js";
import { table } from "../tables.js";

async function load(_, { id }) {
  return read(`/v1/decisions/${encodeURIComponent(id)}`);
}

function view(decision) {
  const how = decision.explored ? "Tried as a probe" : "The policy's choice";
  return [
    el("p", {}, el("a", { href: "#/decisions" }, "\u2190 All decisions")),
    heading(place(decision), `${moment(decision.decided_at)} (${ago(decision.decided_at)})`),
    panel("Why",
      el("p", { class: "chosen" }, el("strong", {}, decision.model), " ", tier(decision.tier), " ", chip(how, decision.explored ? "wait" : "good")),
      el("p", {}, decision.reason),
      facts(decision)),
    candidates(decision),
    outcomes(decision.outcomes ?? []),
    feedback(decision.feedback ?? []),
  ];
}

function facts(decision) {
  const pairs = [
    ["Drawn with probability", decimal(decision.propensity, 4)],
    ["Without exploring it would be", decision.greedy],
    ["Policy", `${decision.policy} v${decision.policy_version}`],
    ["Needs", decision.requires?.length ? decision.requires.join(", ") : "nothing in particular"],
    ["Agent", decision.agent_id || UNKNOWN],
    ["Session", decision.session_id || UNKNOWN],
    ["Judge", decision.will_judge === null ? "none on this route" : `${decision.will_judge ? "grades" : "does not grade"} the answer (${percent(decision.judge_rate, 0)} of answers)`],
    ["Store", decision.degraded ? "was away" : "was there"],
    ...Object.entries(decision.details ?? {}).map(([name, value]) => [words(name), typeof value === "number" ? Number(value.toPrecision(4)) : String(value)]),
    ["Id", decision.id],
  ];
  return el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
}

function candidates(decision) {
  const columns = [
    { name: "Model", cell: (row) => [row.model, " ", tier(row.tier), row.model === decision.model ? [" ", chip("chosen", "good")] : null] },
    { name: "Probability", number: true, cell: (row) => (row.excluded ? UNKNOWN : decimal(row.probability, 4)) },
    { name: "Score", number: true, cell: (row) => decimal(row.score, 3) },
    { name: "Expected quality", number: true, cell: (row) => (row.deviation ? `${quality(row.quality)} \u00b1 ${quality(row.deviation)}` : quality(row.quality)) },
    { name: "Expected cost", number: true, cell: (row) => dollars(row.cost_usd) },
    { name: "Capability score", number: true, cell: (row) => decimal(row.scores?.capability_score, 1) },
    { name: "Performance score", number: true, cell: (row) => decimal(row.scores?.performance_score, 1) },
    { name: "Penalties", cell: penalties },
    { name: "Fate", cell: (row) => (row.excluded ? el("span", { class: "out" }, `excluded: ${row.excluded}`) : "eligible") },
  ];
  const rows = [...decision.candidates].sort((a, b) => Boolean(a.excluded) - Boolean(b.excluded) || b.probability - a.probability);
  const scored = rows.some((row) => row.scores);
  return panel("Candidates", table("Every model that could have been, and what became of it", columns, rows, { mark: (row) => row.excluded && "faint" }),
    el("p", { class: "note-small" }, scored
      ? "Capability score: what the request required against what the model can do. Performance score: the same after what its calls did until now."
      : "The request required no capability, so there are no capability scores."));
}

// Loop A's before and after: what calls took from the score that capabilities alone would have.
function penalties({ scores }) {
  if (!scores) return UNKNOWN;
  if (!scores.has_performance_data) return "none: too few calls to tell";
  const taken = scores.penalties.map(({ kind, factor }) => `${words(kind)} \u00d7 ${decimal(factor)}`);
  return taken.length ? taken.join(", ") : "none";
}

function outcomes(rows) {
  if (!rows.length) return panel("Outcome", empty("No outcome was recorded.", "The call is under way, or its caller did not report it with POST /v1/outcomes."));
  const columns = [
    { name: "Model", cell: (row) => [row.model, row.fallback_from ? el("span", { class: "note-small block" }, `after ${row.fallback_from} failed`) : null] },
    { name: "Result", cell: (row) => (row.success ? chip("success", "good") : chip(row.error ? words(row.error) : "failed", "bad")) },
    { name: "Latency", number: true, cell: (row) => latency(row.latency_ms) },
    { name: "First token", number: true, cell: (row) => latency(row.first_token_ms) },
    { name: "Tokens in", number: true, cell: (row) => count(row.prompt_tokens) },
    { name: "Tokens out", number: true, cell: (row) => [count(row.completion_tokens), row.usage_estimated ? " (estimated)" : null] },
    { name: "Cost", number: true, cell: (row) => dollars(row.cost_usd) },
    { name: "When", cell: (row) => moment(row.recorded_at) },
  ];
  return panel("Outcome", table("What the call did", columns, rows, { label: "unseen" }));
}

function feedback(rows) {
  if (!rows.length) return panel("Feedback", empty("Nobody rated it yet.", "Send POST /v1/feedback with this decision's id and a quality from 0 to 1."));
  const columns = [
    { name: "Source", cell: (row) => row.source || "unnamed" },
    { name: "Quality", number: true, cell: (row) => quality(row.quality) },
    { name: "When", cell: (row) => moment(row.recorded_at) },
    { name: "Notes", cell: (row) => [row.revises && chip("revises an earlier one"), row.clamped && chip("time set to receipt"), metadata(row.metadata)] },
  ];
  return panel("Feedback", table("What was said of the answer", columns, rows, { label: "unseen", key: (row) => row.feedback_id }));
}

function metadata(values) {
  const entries = Object.entries(values ?? {});
  return entries.length ? el("span", { class: "note-small block" }, entries.map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join("; ")) : null;
}

const absent = () => empty("There is no such decision.", "It may be older than what is kept.", " ", el("a", { href: "#/decisions" }, "All decisions"));

export default { title: "Decision", read: load, view, missing: absent, timed: false, kinds: "outcome,feedback" };
