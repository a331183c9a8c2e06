// Figures of /v1/stats, read again every few seconds. Text is only ever set as text.
"use strict";

const EVERY_MS = 3000;
const NOTHING = "\u2013"; // a dash: nothing was measured

const percent = (share) => (share === null ? NOTHING : `${(100 * share).toFixed(1)} %`);
const number = (value, digits) => (value === null ? NOTHING : value.toFixed(digits));

function row(figures) {
  const cells = [
    figures.model_id,
    figures.tier,
    String(figures.total_requests),
    percent(figures.share),
    percent(figures.success_rate),
    figures.avg_latency_ms === null ? NOTHING : `${number(figures.avg_latency_ms, 0)} ms`,
    figures.cost_usd === null ? NOTHING : `$${number(figures.cost_usd, 4)}`,
    number(figures.avg_quality, 3),
    String(figures.ratings),
  ];
  const line = document.createElement("tr");
  for (const [i, text] of cells.entries()) {
    const cell = document.createElement(i === 0 ? "th" : "td");
    if (i === 0) cell.scope = "row";
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

async function refresh() {
  const state = document.getElementById("state");
  let text;
  try {
    const answer = await fetch("/v1/stats", { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const stats = await answer.json();
    document.getElementById("models").replaceChildren(...stats.models.map(row));
    text = stats.store.degraded
      ? `The store is away: ${stats.store.buffered + stats.store.kept} events wait for it, ${stats.store.dropped} were lost.`
      : `${stats.overall.total_requests} calls, ${stats.overall.ratings} ratings.`;
  } catch (error) {
    text = `The figures cannot be read: ${error.message}.`;
  }
  // only what changed is announced to who listens to the page
  if (state.textContent !== text) state.textContent = text;
}

document.getElementById("base-url").textContent = `${location.origin}/v1`;
refresh();
setInterval(refresh, EVERY_MS);
