// What is wrong now, and what was.
import { decides, read, send } from "../api.js";
import { el } from "../dom.js";
import { UNKNOWN, ago, moment, segmentName, told, words } from "../format.js";
import { action, chip, code, empty, heading, panel, severity } from "../parts.js";
import { table } from "../tables.js";

const ORDER = ["CRITICAL", "ERROR", "WARNING", "INFO"];

async function load() {
  return (await read("/v1/alerts?limit=200")).data;
}

function view(alerts, context) {
  const active = alerts.filter((alert) => !alert.resolved_at).sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  const past = alerts.filter((alert) => alert.resolved_at);
  return [heading("Alerts", "What is wrong now, the worst first; below, what was."), current(active, context), history(past)];
}

const about = (alert) => alert.model_id ?? segmentName(alert.segment) ?? "everything";
const shared = [
  { name: "Severity", cell: (row) => severity(row.severity) },
  { name: "Alert", cell: (row) => [el("span", { class: "strong" }, told(row)), el("span", { class: "note-small block" }, [words(row.alert_type), row.rule && `rule ${row.rule}`, about(row)].filter(Boolean).join(", "))] },
];

function current(active, context) {
  if (!active.length) return panel("Active", empty("Nothing is wrong.", "Thresholds stand in ", code("[alerts]"), " of tiercel.toml."));
  const columns = [
    ...shared,
    { name: "Since", short: true, cell: (row) => [ago(row.timestamp), el("span", { class: "note-small block" }, moment(row.timestamp))] },
    { name: "Acknowledged", cell: (row) => acknowledged(row, context) },
  ];
  return panel("Active", table("Active alerts, the worst first", columns, active, { label: "unseen", key: (row) => row.alert_id }));
}

function acknowledged(row, context) {
  if (row.acknowledged_at) {
    return [chip("seen", "good"), el("span", { class: "note-small block" }, `by ${row.acknowledged_by}, ${ago(row.acknowledged_at)}`),
      row.note ? el("span", { class: "note-small block" }, row.note) : null];
  }
  if (!decides()) return "not yet";
  return action("Acknowledge", async () => {
    await send("POST", `/v1/alerts/${encodeURIComponent(row.alert_id)}/acknowledge`, {});
    context.refresh();
    return `Acknowledged: ${told(row)}`;
  });
}

function history(past) {
  if (!past.length) return panel("History", el("p", { class: "quiet" }, "No alert was resolved yet."));
  const columns = [
    ...shared,
    { name: "From", short: true, cell: (row) => moment(row.timestamp) },
    { name: "Resolved", short: true, cell: (row) => moment(row.resolved_at) },
    { name: "Lasted", short: true, cell: lasted },
  ];
  return panel("History", table("Alerts that are over, newest first", columns, past, { label: "unseen", key: (row) => row.alert_id }));
}

function lasted(row) {
  const s = (new Date(row.resolved_at) - new Date(row.timestamp)) / 1000;
  if (!Number.isFinite(s)) return UNKNOWN;
  return s < 90 ? `${Math.round(s)}\u00a0s` : s < 5400 ? `${Math.round(s / 60)}\u00a0min` : `${(s / 3600).toFixed(1)}\u00a0h`;
}

export default { title: "Alerts", read: load, view, timed: false, kinds: "alert,acknowledgement" };
