// Changes that wait for a human, with the evidence; and everything that was changed, by whom and why.
import { decides, readIfThere, send } from "../api.js";
import { el } from "../dom.js";
import { UNKNOWN, ago, between, moment, percent, place, signed, words } from "../format.js";
import { acted, chip, code, empty, heading, missing, panel, tier } from "../parts.js";
import { table } from "../tables.js";

async function load() {
  const [approvals, changes] = await Promise.all([readIfThere("/v1/approvals"), readIfThere("/v1/changes?limit=100")]);
  return { approvals: approvals?.data ?? null, changes: changes?.data.filter(notable) ?? null };
}

function view({ approvals, changes }, context) {
  return [heading("Approvals", "Changes of what serves a stage: those that wait for a yes, and those that were made."), waiting(approvals, context), audit(changes)];
}

// that agents come and go by their heartbeats is no change anybody made
const notable = (row) => row.kind !== "agent" || row.reason !== "heartbeat";

const under = (row) => row.status === "pending" || row.status === "rolling" || (row.status === "approved" && row.rollout);

function waiting(approvals, context) {
  if (approvals === null) return panel("Waiting", missing("Approvals"));
  const open = approvals.filter(under);
  if (!open.length) {
    return panel("Waiting", empty("No change waits for approval.", "To ask for one before a tier changes, set ", code('changes = "approval"'), " on a route in tiercel.toml."));
  }
  return panel("Waiting", el("ul", { class: "requests" }, open.map((row) => request(row, context))));
}

function request(row, context) {
  return el("li", { class: "request", "data-key": `request-${row.id}` },
    el("h3", {}, place(row)),
    el("p", {}, tier(row.from), " \u2192 ", tier(row.to), " ", chip(words(row.status), "wait"),
      row.status === "rolling" ? ` at ${percent(row.share, 0)} of requests` : null),
    el("p", {}, row.reason),
    el("dl", { class: "facts" }, facts(row).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    decides() ? answer(row, context) : null,
  );
}

function facts(row) {
  return [
    ["Confidence", percent(row.confidence, 0)],
    ["Asked", ago(row.requested_at)],
    ...(row.status === "pending" && row.expires_at ? [["Without an answer, rejected", moment(row.expires_at)]] : []),
    ...(row.interval ? [["Better by", between(row.interval[0], row.interval[1], (by) => signed(by))]] : []),
    ...(typeof row.decided_by === "string" && row.decided_by ? [["Answered by", `${row.decided_by}, ${ago(row.decided_at)}`]] : []),
    ...["evidence", "ratings", "quality"].flatMap((part) => evidence(part, row[part])),
  ];
}

function evidence(part, known) {
  if (known === null || known === undefined) return [];
  if (typeof known !== "object") return [[words(part), plain(known)]];
  return Object.entries(known).filter(([, value]) => value !== null).map(([name, value]) => [part === "evidence" ? words(name) : `${words(part)}, ${words(name)}`, plain(value)]);
}

function plain(value) {
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return value.map(plain).join(", ");
  return Object.entries(value).map(([name, inner]) => `${words(name)} ${plain(inner)}`).join("; ");
}

// A change that waits is approved or rejected, one that is rolled out can be stopped; each with a reason.
function answer(row, context) {
  const field = `reason-${row.id}`;
  const answered = (verb, done) => (event) => {
    const { form } = event.currentTarget;
    if (!form.reportValidity()) return;
    acted(event.currentTarget, async () => {
      await send("POST", `/v1/${verb === "stop" ? "rollouts" : "approvals"}/${encodeURIComponent(row.id)}/${verb}`, { reason: form.elements.reason.value.trim() });
      context.refresh();
      return `${done}: ${place(row)}`;
    });
  };
  const pending = row.status === "pending";
  return el("form", { class: "row", onsubmit: (event) => event.preventDefault() },
    el("label", { for: field }, "Reason", el("input", { id: field, name: "reason", required: true, maxlength: 500, autocomplete: "off" })),
    pending ? el("button", { type: "button", class: "primary", onclick: answered("approve", "Approved") }, "Approve") : null,
    el("button", { type: "button", onclick: answered(pending ? "reject" : "stop", pending ? "Rejected" : "Stopped") }, pending ? "Reject" : "Stop and go back"));
}

function audit(changes) {
  if (changes === null) return panel("Audit log", missing("The audit log"));
  if (!changes.length) return panel("Audit log", el("p", { class: "quiet" }, "Nothing was changed yet."));
  const columns = [
    { name: "When", short: true, cell: (row) => moment(row.changed_at) },
    { name: "What", short: true, cell: (row) => words(row.kind) },
    { name: "Where", cell: place },
    { name: "Change", short: true, cell: change },
    { name: "Who", cell: (row) => (row.by === "tiercel" ? "tiercel, by itself" : (row.by ?? "the log does not say")) },
    { name: "Why", cell: (row) => row.reason || UNKNOWN },
  ];
  return panel("Audit log", table("Changes, newest first: when, what, who and why", columns, changes, { label: "unseen", key: (row) => `${row.policy} ${place(row)} ${row.revision}` }));
}

function change(row) {
  if (row.status) return chip(words(row.status));
  const named = (name) => (row.kind === "tier_change" ? tier(name) : (name ?? "none"));
  return [named(row.previous), " \u2192 ", named(row.current)];
}

export default { title: "Approvals", read: load, view, timed: false, kinds: "approval,tier_change,policy_change,assignment" };
