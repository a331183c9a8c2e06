// Models with what they can do and did, agents with who is there, and which agent has which model.
import { decides, read, readIfThere, send } from "../api.js";
import { el } from "../dom.js";
import { UNKNOWN, ago, count, decimal, dollars, latency, percent, quality, words } from "../format.js";
import { acted, action, chip, code, empty, heading, panel, share, tier } from "../parts.js";
import { table } from "../tables.js";

const STRATEGIES = {
  balanced: "balanced: spread by capability",
  greedy: "greedy: each agent's best match",
  optimal: "optimal: the best sum of matches",
  adaptive: "adaptive: capability and recent performance",
  load_aware: "load aware: adaptive, and current load",
};
const chosen = { strategy: "adaptive" };

async function load({ range }) {
  const [observed, agents, held] = await Promise.all([
    readIfThere(`/v1/models/observed?time_range=${range}`),
    readIfThere("/v1/agents"),
    readIfThere("/api/v1/model-router/assignments?status=active&page_size=100"),
  ]);
  const models = observed?.data ?? (await read("/v1/stats")).models;
  return { models, breakers: observed?.breaker_reason, agents: agents?.data ?? [], assignments: held?.assignments ?? [] };
}

function view({ models, breakers, agents, assignments }, context) {
  return [heading("Models and agents"), modelTable(models, breakers), agentTable(agents, context), assigned(assignments, agents, context)];
}

function modelTable(models, breakers) {
  if (!models.length) return panel("Models", empty("No model is configured.", "Add [[models]] to tiercel.toml."));
  const columns = [
    { name: "Model", cell: (row) => [row.model_id, " ", tier(row.tier), row.provider ? el("span", { class: "note-small block" }, row.provider) : null] },
    { name: "Capabilities", cell: (row) => capabilities(row.capabilities) },
    { name: "Price in / out, per million tokens", cell: price },
    { name: "State", cell: states },
    { name: "In flight", number: true, cell: (row) => count(row.in_flight) },
    { name: "Share", cell: (row) => share(row.share, percent(row.share, 0)) },
    { name: "Requests", number: true, cell: (row) => count(row.requests ?? row.total_requests) },
    { name: "Success", number: true, cell: (row) => percent(row.success_rate) },
    { name: "p95 latency", number: true, cell: (row) => latency(row.latency?.p95 ?? row.p95_latency_ms) },
    { name: "Cost", number: true, cell: (row) => dollars(row.cost_usd) },
    { name: "Quality", number: true, cell: (row) => [quality(row.avg_quality), el("span", { class: "note-small block" }, row.ratings ? `${count(row.ratings)} ratings` : "not rated")] },
  ];
  return panel("Models", table("Models, what they can do, cost and did", columns, models, { label: "unseen", key: (row) => row.model_id }),
    breakers ? el("p", { class: "note-small" }, `Breakers: ${breakers}.`) : null);
}

function capabilities(known) {
  const entries = Object.entries(known ?? {}).sort((a, b) => b[1] - a[1]);
  if (!entries.length) return UNKNOWN;
  return el("span", { class: "chips" }, entries.slice(0, 4).map(([name, value]) => chip(`${words(name)} ${decimal(value)}`)), entries.length > 4 ? ` +${entries.length - 4}` : null);
}

function price(row) {
  const known = row.price ?? row.price_usd_per_mtok;
  return known ? `${dollars(known.input)} / ${dollars(known.output)}` : "unknown";
}

function states(row) {
  const breaker = row.breaker?.state ?? row.breaker;
  const shown = [];
  if (typeof breaker === "string") shown.push(chip(breaker === "closed" ? "in use" : words(`breaker ${breaker}`), breaker === "closed" ? "good" : "bad"));
  if (row.drift) shown.push(" ", chip(`quality ${row.drift.shift < 0 ? "fell" : "rose"} by ${decimal(Math.abs(row.drift.shift))} ${ago(row.drift.changed_at)}`, "wait"));
  return shown.length ? shown : "no change found";
}

function agentTable(agents, context) {
  if (!agents.length) return panel("Agents", empty("No agent is configured.", "Add [[agents]] to tiercel.toml, then send heartbeats with ", code("POST /v1/agents/{id}/heartbeat"), "."));
  const columns = [
    { name: "Agent", cell: (row) => [row.agent_name || row.agent_id, row.agent_name && row.agent_name !== row.agent_id ? el("span", { class: "note-small block" }, row.agent_id) : null] },
    { name: "Presence", cell: presence },
    { name: "Needs", cell: (row) => (row.required?.length ? row.required.join(", ") : UNKNOWN) },
    { name: "Model", cell: (row) => row.assigned_model_id ?? "none assigned" },
    { name: "Requests", number: true, cell: (row) => count(row.total_requests) },
    { name: "Success", number: true, cell: (row) => percent(row.success_rate) },
    ...(decides() ? [{ name: "Maintenance", cell: (row) => maintenance(row, context) }] : []),
  ];
  return panel("Agents", table("Agents, whether they are there, and their models", columns, agents, { label: "unseen", key: (row) => row.agent_id }));
}

function presence(row) {
  const { status, heartbeat } = row;
  const kind = { online: "good", maintenance: "wait", error: "bad" }[status] ?? "";
  const said = [
    heartbeat ? `last beat ${ago(heartbeat.at)}: ${words(heartbeat.status)}` : row.status_reason,
    typeof heartbeat?.progress === "number" ? percent(heartbeat.progress, 0) : null,
  ];
  return [chip(words(status ?? "unknown"), kind), el("span", { class: "note-small block" }, said.filter(Boolean).join(", "))];
}

function maintenance(row, context) {
  const there = row.status === "maintenance";
  return action(there ? "Back to work" : "Take out", async () => {
    await send("POST", `/v1/agents/${encodeURIComponent(row.agent_id)}`, { status: there ? "online" : "maintenance" });
    context.refresh();
    return `${row.agent_name || row.agent_id} is ${there ? "back" : "in maintenance"}`;
  });
}

function assigned(assignments, agents, context) {
  const columns = [
    { name: "Agent", cell: (row) => row.agent_id },
    { name: "Model", cell: (row) => row.model_id },
    { name: "Capability score", number: true, cell: (row) => decimal(row.capability_score, 1) },
    { name: "Performance score", number: true, cell: (row) => decimal(row.performance_score, 1) },
    { name: "Penalties", cell: penalties },
    { name: "By", cell: (row) => words(row.method) },
    { name: "Since", cell: (row) => ago(row.changed_at) },
  ];
  const shown = assignments.length
    ? table("Which agent has which model, with the score before and after recent calls", columns, assignments, { key: (row) => row.assignment_id })
    : empty("No agent has a model of its own.", agents.length && decides() ? "Assign models below." : "An administrator can assign them here.");
  return panel("Assignments", shown, decides() && agents.length ? form(context) : null);
}

// what recent calls took from the capability score
function penalties(row) {
  if (!row.has_performance_data) return "none: too few calls to tell";
  if (!row.penalties?.length) return "none";
  return row.penalties.map(({ kind, factor }) => `${words(kind)} \u00d7 ${decimal(factor)}`).join(", ");
}

function form(context) {
  const submit = (event) => {
    event.preventDefault();
    acted(event.currentTarget.querySelector("button"), async () => {
      const made = await send("POST", "/api/v1/model-router/auto-assign-all", { strategy: chosen.strategy });
      context.refresh();
      return `${made.total_assignments} agents have a model now`;
    });
  };
  return el("form", { class: "row", onsubmit: submit },
    el("label", {}, "Strategy", el("select", { name: "strategy", onchange: (event) => { chosen.strategy = event.currentTarget.value; } },
      Object.entries(STRATEGIES).map(([value, label]) => el("option", { value, selected: value === chosen.strategy }, label)))),
    el("button", { type: "submit", class: "primary" }, "Assign models"));
}

export default { title: "Models", read: load, view, kinds: "outcome,feedback,assignment,agent,drift" };
