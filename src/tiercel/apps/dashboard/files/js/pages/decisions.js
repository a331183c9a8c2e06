// Decisions as they are made, a page at a time, narrowed by what is typed.
import { read } from "../api.js";
import { el } from "../dom.js";
import { decimal, moment, place } from "../format.js";
import { action, chip, code, empty, heading, tier } from "../parts.js";
import { table } from "../tables.js";

const FIELDS = { workflow: "Workflow", stage: "Stage", model: "Model" };
const LIMIT = 50;
const state = { workflow: "", stage: "", model: "", fate: "", before: null, paused: false, held: null };

async function load() {
  if (state.paused && state.held) return state.held;
  const typed = Object.keys(FIELDS).filter((name) => state[name]);
  const [newest, exact] = await Promise.all([page([]), typed.length ? page(typed) : null]);
  // whole names are looked for in all that is kept; parts of names in the page that is shown
  const found = exact?.data.length ? exact : newest;
  state.held = { rows: found.data.filter(matches), next: found.next ?? null, looked: found.data.length, any: newest.data.length > 0 };
  return state.held;
}

function page(typed) {
  const asked = new URLSearchParams({ limit: String(LIMIT) });
  if (state.before) asked.set("before", state.before);
  for (const name of typed) asked.set(name, state[name]);
  return read(`/v1/decisions?${asked}`);
}

const matches = (row) =>
  Object.keys(FIELDS).every((name) => String(row[name] ?? "").toLowerCase().includes(state[name].toLowerCase())) &&
  (!state.fate || (state.fate === "explored" ? row.explored : !row.explored));

function view(held, context) {
  const lead = "What was decided, newest first. Open one to see why that model, and why no other.";
  return [heading("Decisions", lead, pause(context)), filters(context), listed(held, context)];
}

function turn(change, said) {
  return (context) => async () => {
    change();
    state.held = null;
    context.refresh();
    return said;
  };
}

const pause = (context) =>
  action(state.paused ? "Go on" : "Pause", async () => {
    state.paused = !state.paused;
    context.refresh();
    return state.paused ? "The table stands still" : "The table is live again";
  });

function filters(context) {
  const changed = (name) => (event) => {
    Object.assign(state, { [name]: event.currentTarget.value, before: null, held: null });
    context.refresh();
  };
  return el("form", { class: "filters", role: "search", "aria-label": "Filter decisions", onsubmit: (event) => event.preventDefault() },
    Object.entries(FIELDS).map(([name, label]) => el("label", {}, label, el("input", { type: "search", name, value: state[name], oninput: changed(name), autocomplete: "off" }))),
    el("label", {}, "Chosen", el("select", { name: "fate", onchange: changed("fate") },
      el("option", { value: "", selected: !state.fate }, "in any way"),
      el("option", { value: "greedy", selected: state.fate === "greedy" }, "by the policy"),
      el("option", { value: "explored", selected: state.fate === "explored" }, "as a probe"))),
  );
}

function listed({ rows, next, looked, any }, context) {
  if (!any && !state.before) {
    return empty("No decision was made yet.", "Ask for the model ", code("auto"), " at ", code(`${location.origin}/v1/chat/completions`), ", or ", code("POST /v1/decisions"), ".");
  }
  const pages = el("p", { class: "pages" },
    next ? action("Older", turn(() => { state.before = next; }, "Older decisions")(context)) : null,
    state.before ? action("Newest", turn(() => { state.before = null; }, "The newest decisions")(context)) : null);
  if (!rows.length) return [empty("No decision matches.", "A whole name is looked for in all that is kept, a part of one in the page shown."), pages];
  return el("section", { class: "panel" }, table(caption(rows, looked), COLUMNS, rows, { key: (row) => row.id }), pages);
}

const caption = (rows, looked) => `${rows.length === looked ? rows.length : `${rows.length} of ${looked}`} ${state.before ? "older" : "of the newest"} decisions`;

const COLUMNS = [
  { name: "When", short: true, cell: (row) => el("a", { href: `#/decisions/${encodeURIComponent(row.id)}`, "aria-label": `Decision of ${moment(row.decided_at)}` }, moment(row.decided_at)) },
  { name: "For", cell: (row) => place(row) },
  { name: "Model", cell: (row) => [row.model, " ", tier(row.tier)] },
  { name: "Probability", number: true, cell: (row) => decimal(row.propensity, 3) },
  { name: "Chosen", short: true, cell: (row) => [row.explored ? chip("probe", "wait") : "policy's choice", row.degraded ? [" ", chip("store away", "bad")] : null] },
  { name: "Reason", cell: (row) => row.reason },
];

export default { title: "Decisions", read: load, view, timed: false, kinds: "decision" };
