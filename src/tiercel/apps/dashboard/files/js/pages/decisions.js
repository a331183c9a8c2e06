// The newest decisions, as they are made, narrowed by what is typed.
import { read } from "../api.js";
import { el, renew } from "../dom.js";
import { decimal, moment, place } from "../format.js";
import { action, chip, code, empty, heading, tier } from "../parts.js";
import { table } from "../tables.js";

const FIELDS = { workflow: "Workflow", stage: "Stage", model: "Model" };
const state = { workflow: "", stage: "", model: "", fate: "", limit: 50, paused: false, held: null };

async function load() {
  if (state.paused && state.held) return state.held;
  const found = await read(`/v1/decisions?${asked()}`);
  state.held = { rows: found.data, cursor: found.next ?? found.next_cursor ?? null };
  return state.held;
}

function asked() {
  return new URLSearchParams({ limit: String(state.limit) });
}

function view({ rows }, context) {
  const lead = "What was decided, newest first. Open one to see why that model, and why no other.";
  const matching = rows.filter(matches);
  return [heading("Decisions", lead, pause(context)), filters(context), listed(rows, matching, context)];
}

const matches = (row) =>
  Object.keys(FIELDS).every((name) => !state[name] || String(row[name] ?? "").toLowerCase().includes(state[name].toLowerCase())) &&
  (!state.fate || (state.fate === "explored" ? row.explored : !row.explored));

function pause(context) {
  return action(state.paused ? "Go on" : "Pause", async () => {
    state.paused = !state.paused;
    context.refresh();
    return state.paused ? "The table stands still" : "The table is live again";
  });
}

function filters(context) {
  const changed = (name) => (event) => {
    state[name] = event.currentTarget.value;
    context.refresh();
  };
  return el("form", { class: "filters", role: "search", "aria-label": "Filter decisions", onsubmit: (event) => event.preventDefault() },
    Object.entries(FIELDS).map(([name, label]) => el("label", {}, label, el("input", { type: "search", name, value: state[name], oninput: changed(name), autocomplete: "off" }))),
    el("label", {}, "Chosen", el("select", { name: "fate", onchange: changed("fate") },
      el("option", { value: "" }, "in any way"), el("option", { value: "greedy" }, "by the policy"), el("option", { value: "explored" }, "as a probe"))),
  );
}

function listed(rows, matching, context) {
  if (!rows.length) {
    return empty("No decision was made yet.", "Ask for the model ", code("auto"), " at ", code(`${location.origin}/v1/chat/completions`), ", or ", code("POST /v1/decisions"), ".");
  }
  if (!matching.length) return empty("No decision matches.", `None of the newest ${rows.length}. Shorten what is typed, or show older ones.`, " ", older(context));
  const columns = [
    { name: "When", cell: (row) => el("a", { href: `#/decisions/${encodeURIComponent(row.id)}`, "aria-label": `Decision of ${moment(row.decided_at)}` }, moment(row.decided_at)) },
    { name: "For", cell: (row) => place(row) },
    { name: "Model", cell: (row) => [row.model, " ", tier(row.tier)] },
    { name: "Probability", number: true, cell: (row) => decimal(row.propensity, 3) },
    { name: "Chosen", cell: (row) => [row.explored ? chip("probe", "wait") : "policy's choice", row.degraded ? [" ", chip("store away", "bad")] : null] },
    { name: "Reason", cell: (row) => row.reason },
  ];
  return el("section", { class: "panel" }, table(`${matching.length} of the newest ${rows.length} decisions`, columns, matching, { key: (row) => row.id }),
    rows.length >= state.limit && state.limit < 500 ? el("p", {}, older(context)) : null);
}

const older = (context) =>
  state.limit < 500 &&
  action("Show older ones", async () => {
    state.limit = Math.min(500, 2 * state.limit);
    state.paused = false;
    context.refresh();
    return "Reading older decisions";
  });

export default { title: "Decisions", read: load, view, timed: false, kinds: "decision" };
