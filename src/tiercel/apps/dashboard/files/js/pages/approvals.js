// Changes that wait for a human, with the evidence; and everything that was changed, by whom and why.
import { decides, readIfThere, send } from "../api.js";
import { el } from "../dom.js";
import { UNKNOWN, ago, moment, percent, place, segmentName, words } from "../format.js";
import { acted, chip, code, empty, heading, missing, panel, tier } from "../parts.js";
import { table } from "../tables.js";

async function load() {
  const [approvals, changes] = await Promise.all([readIfThere("/v1/approvals"), readIfThere("/v1/changes?limit=100")]);
  return { approvals: approvals?.data ?? null, changes: changes?.data ?? null };
}

function view({ approvals, changes }, context) {
  return [heading("Approvals", "Changes of what serves a stage: those that wait for a yes, and those that were made."), waiting(approvals, context), audit(changes)];
}

const OPEN = ["pending", "rolling"];
const stateOf = (row) => row.status ?? row.state ?? "pending";
const where = (row) => (row.workflow ? place(row) : (segmentName(row.segment) ?? place(row)));
const idOf = (row) => row.approval_id ?? row.change_id ?? row.id;

function waiting(approvals, context) {
  if (approvals === null) return panel("Waiting", missing("Approvals"));
  const open = approvals.filter((row) => OPEN.includes(stateOf(row)));
  if (!open.length) {
    return panel("Waiting", empty("No change waits for approval.", "To ask for one before a tier changes, set ", code('changes = "approval"'), " on a route in tiercel.toml."));
  }
  return panel("Waiting", el("ul", { class: "requests" }, open.map((row) => request(row, context))));
}

function request(row, context) {
  const state = stateOf(row);
  return el("li", { class: "request", "data-key": `request-${idOf(row)}` },
    el("h3", {}, where(row)),
    el("p", {}, tier(row.previous ?? row.from), " \u2192 ", tier(row.wanted ?? row.current ?? row.to), " ", chip(words(state), "wait"),
      typeof row.share === "number" ? ` at ${percent(row.share, 0)} of requests` : null),
    row.reason ? el("p", {}, row.reason) : null,
    el("dl", { class: "facts" }, facts(row).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    decides() && state === "pending" ? answer(row, context) : null,
  );
}

function facts(row) {
  const asked = row.requested_at ?? row.changed_at ?? row.asked_at;
  const until = row.expires_at ?? row.until;
  return [
    ["Confidence", percent(row.confidence, 0)],
    ["Asked", asked ? ago(asked) : UNKNOWN],
    ...(until ? [["Rejected by itself at", moment(until)]] : []),
    ...Object.entries(row.evidence ?? {}).filter(([, value]) => value !== null).map(([name, value]) => [words(name), plain(value)]),
  ];
}

function plain(value) {
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return value.map(plain).join(", ");
  return Object.entries(value).map(([name, inner]) => `${words(name)} ${plain(inner)}`).join("; ");
}

function answer(row, context) {
  const id = idOf(row);
  const field = `reason-${id}`;
  const answered = (verb, done) => (event) => {
    const form = event.currentTarget.form;
    const reason = form.elements.reason.value.trim();
    if (!form.reportValidity()) return;
    acted(event.currentTarget, async () => {
      await send("POST", `/v1/approvals/${encodeURIComponent(id)}/${verb}`, { reason });
      context.refresh();
      return `${done}: ${where(row)}`;
    });
  };
  return el("form", { class: "row", onsubmit: (event) => event.preventDefault() },
    el("label", { for: field }, "Reason", el("input", { id: field, name: "reason", required: true, maxlength: 500, autocomplete: "off" })),
    el("button", { type: "button", class: "primary", onclick: answered("approve", "Approved") }, "Approve"),
    el("button", { type: "button", onclick: answered("reject", "Rejected") }, "Reject"));
}

function audit(changes) {
  if (changes === null) return panel("Audit log", missing("The audit log"));
  if (!changes.length) return panel("Audit log", el("p", { class: "quiet" }, "Nothing was changed yet."));
  const columns = [
    { name: "When", cell: (row) => moment(row.changed_at ?? row.at) },
    { name: "Where", cell: where },
    { name: "Change", cell: change },
    { name: "Who", cell: (row) => row.by ?? row.who ?? row.evidence?.by ?? "the policy" },
    { name: "Why", cell: (row) => row.note ?? row.reason ?? UNKNOWN },
  ];
  return panel("Audit log", table("Changes, newest first: when, what, who and why", columns, changes, { label: "unseen" }));
}

function change(row) {
  const [from, to] = [row.previous ?? row.from, row.current ?? row.wanted ?? row.to];
  const state = row.status ?? row.state;
  return [from || to ? [tier(from), " \u2192 ", tier(to)] : null, state ? [" ", chip(words(state))] : null];
}

export default { title: "Approvals", read: load, view, timed: false, kinds: "tier_change,assignment" };
