// Policies compared by `tiercel evaluate` and `tiercel ope`.
import { readIfThere } from "../api.js";
import { el } from "../dom.js";
import { UNKNOWN, between, count, decimal, dollars, moment, percent, quality, signed, words } from "../format.js";
import { code, empty, heading, missing, panel, share } from "../parts.js";
import { table } from "../tables.js";

const LEAD = "How policies compare: replayed over a table (evaluate), or estimated from this gateway's own log (ope).";

async function load() {
  return readIfThere("/v1/evaluations");
}

function view(found) {
  if (found === null) return [heading("Evaluations", LEAD), missing("Evaluations")];
  if (!found.data.length) {
    return [heading("Evaluations", LEAD), empty("No result is kept.", "Compare policies with ", code("tiercel evaluate"), " on a table or ", code("tiercel ope"), " on the log, keep the JSON in a folder, and name it in ",
      code('[dashboard] evaluations = "FOLDER"'), ".", found.note ? el("span", { class: "block" }, `The gateway says: ${found.note}.`) : null)];
  }
  return [heading("Evaluations", LEAD), found.data.map(shown)];
}

function shown(evaluation) {
  const title = evaluation.name ?? words(evaluation.kind);
  if (evaluation.problem) return panel(title, el("p", { class: "note error" }, `This result ${evaluation.problem}.`));
  const rows = [...named(evaluation.policies, "policy"), ...named(evaluation.baselines, "baseline")];
  const said = [evaluation.kind, moment(evaluation.measured_at), evaluation.table].filter(Boolean).join(" \u00b7 ");
  const known = evaluation.kind === "ope" ? OF_LOG : OF_TABLE;
  const columns = known.filter((column) => rows.some((row) => column.has(row)));
  return panel(title, table(said, [NAME, ...columns], rows, { key: (row) => row.name, mark: (row) => row.role === "baseline" && "faint" }), settings(evaluation.settings));
}

const named = (found, role) => Object.entries(found ?? {}).map(([name, figures]) => ({ name, role, ...figures }));

const NAME = { name: "Policy", cell: (row) => [words(row.name), row.role === "baseline" ? el("span", { class: "note-small block" }, "to compare with") : null] };

// a figure with the interval that belongs to it
function figure(name, key, interval, format) {
  const cell = (row) => {
    const ends = row[interval];
    return [row[key] === null || row[key] === undefined ? UNKNOWN : format(row[key]),
      ends && ends[0] !== ends[1] ? el("span", { class: "note-small block" }, between(ends[0], ends[1], format)) : null];
  };
  return { name, number: true, has: (row) => typeof row[key] === "number", cell };
}

const perThousand = (usd) => dollars(1000 * usd);

const OF_TABLE = [
  figure("Quality", "quality", "quality_ci", quality),
  figure("Cost per 1,000 calls", "cost_usd", "cost_ci", perThousand),
  figure("Above the best fixed mix", "gain_over_hull", "gain_ci", (value) => signed(value)),
  figure("Regret", "regret", "regret_ci", (value) => decimal(value, 1)),
  { name: "Answered by", has: (row) => Boolean(row.share), cell: (row) => Object.entries(row.share ?? {}).map(([model, part]) => el("span", { class: "answers" }, share(part, percent(part, 0)), el("span", {}, model))) },
];

// an estimate from a log: { value, ci }, of the policy itself or by the estimator that is to be quoted
function estimate(name, of, format) {
  const cell = (row) => {
    const known = of(row);
    return [known ? format(known.value) : UNKNOWN, known?.ci ? el("span", { class: "note-small block" }, between(known.ci[0], known.ci[1], format)) : null];
  };
  return { name, number: true, has: (row) => Boolean(of(row)), cell };
}

const estimated = (part) => (part && "value" in part ? part : part?.dr);

const OF_LOG = [
  estimate("Quality", (row) => estimated(row.quality), quality),
  estimate("Better than as logged", (row) => row.quality?.difference, (value) => signed(value)),
  estimate("Cost per 1,000 calls", (row) => estimated(row.cost_usd), perThousand),
  { name: "Effective rows", number: true, has: (row) => Boolean(row.diagnostics), cell: (row) => count(row.diagnostics?.effective_sample_size) },
  { name: "Verdict", has: (row) => Boolean(row.verdict), cell: (row) => [row.verdict ?? "measured", row.reasons?.length ? el("span", { class: "note-small block" }, row.reasons.join("; ")) : null] },
];

function settings(known) {
  const flat = Object.entries(known ?? {}).flatMap(([name, value]) => (name === "mode" && value ? Object.entries(value) : [[name, value]]));
  const told = flat.filter(([, value]) => value !== null && value !== "" && value !== false && typeof value !== "object");
  return told.length ? el("p", { class: "note-small" }, told.map(([name, value]) => `${words(name)}: ${value}`).join(" \u00b7 ")) : null;
}

export default { title: "Evaluations", read: load, view, timed: false, kinds: "alert" };
