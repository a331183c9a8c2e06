// Policies compared by `tiercel evaluate` and `tiercel ope`.
import { readIfThere } from "../api.js";
import { UNKNOWN, between, count, decimal, dollars, moment, quality, words } from "../format.js";
import { el } from "../dom.js";
import { code, empty, heading, missing, panel } from "../parts.js";
import { table } from "../tables.js";

const LEAD = "How policies compare: replayed over tables (evaluate), or estimated from this gateway's own log (ope).";

async function load() {
  const found = await readIfThere("/v1/evaluations");
  return found?.data ?? null;
}

function view(evaluations) {
  if (evaluations === null) return [heading("Evaluations", LEAD), missing("Evaluations")];
  if (!evaluations.length) {
    return [heading("Evaluations", LEAD), empty("No result was kept yet.", "Compare policies with ", code("tiercel evaluate"), " on a table, or ", code("tiercel ope"), " on the log.")];
  }
  return [heading("Evaluations", LEAD), evaluations.map(shown)];
}

function shown(evaluation) {
  const rows = [...named(evaluation.policies), ...named(evaluation.baselines)];
  const said = [words(evaluation.kind), moment(evaluation.measured_at), evaluation.table].filter(Boolean).join(" \u00b7 ");
  return panel(evaluation.name ?? words(evaluation.kind), el("p", { class: "quiet" }, said),
    rows.length ? table(`Policies of ${evaluation.name ?? evaluation.kind}`, columnsOf(rows), rows, { label: "unseen" }) : el("p", {}, "It has no rows."), settings(evaluation.settings));
}

function named(found) {
  if (Array.isArray(found)) return found;
  return Object.entries(found ?? {}).map(([name, figures]) => ({ name, ...(typeof figures === "object" ? figures : { value: figures }) }));
}

const FORMATS = [
  [/usd|cost|spend/, dollars],
  [/quality|reward|value|regret/, quality],
  [/count|requests|prompts|rows|^n$/, count],
];

// The columns are what the rows have: `evaluate` and `ope` measure different things.
function columnsOf(rows) {
  const name = (row) => String(row.name ?? row.policy ?? UNKNOWN);
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((key) => !["name", "policy"].includes(key) && rows.some((row) => showable(row[key])));
  return [{ name: "Policy", cell: name }, ...keys.slice(0, 10).map((key) => ({ name: words(key), number: rows.every((row) => typeof row[key] !== "string"), cell: (row) => figure(key, row[key]) }))];
}

const showable = (value) => ["number", "string", "boolean"].includes(typeof value) || (value && typeof value === "object" && ("low" in value || "mean" in value)) || interval(value);
const interval = (value) => Array.isArray(value) && value.length === 2 && value.every((end) => typeof end === "number");

function figure(key, value) {
  const format = FORMATS.find(([pattern]) => pattern.test(key))?.[1] ?? ((number) => decimal(number, 3));
  if (value === null || value === undefined) return UNKNOWN;
  if (typeof value === "number") return format(value);
  if (interval(value)) return between(value[0], value[1], format);
  if (typeof value === "object") return [format(value.mean ?? value.value ?? null), "low" in value ? el("span", { class: "note-small block" }, between(value.low, value.high, format)) : null];
  return String(value);
}

function settings(known) {
  const entries = Object.entries(known ?? {}).filter(([, value]) => value !== null && typeof value !== "object");
  return entries.length ? el("p", { class: "note-small" }, entries.map(([name, value]) => `${words(name)}: ${value}`).join(" \u00b7 ")) : null;
}

export default { title: "Evaluations", read: load, view, timed: false, kinds: "alert" };
