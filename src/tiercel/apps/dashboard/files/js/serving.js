// Who serves a stage, and who answered its calls.
import { el } from "./dom.js";
import { UNKNOWN, percent } from "./format.js";
import { share, tier } from "./parts.js";

// which models answered a stage's calls, the busiest first
export function answeredBy({ share: shares }) {
  const models = Object.entries(shares ?? {}).sort((a, b) => b[1] - a[1]);
  if (!models.length) return UNKNOWN;
  return [models.slice(0, 3).map(([model, part]) => el("span", { class: "answers" }, share(part, percent(part, 0)), el("span", {}, model))),
    models.length > 3 ? el("span", { class: "note-small" }, `and ${models.length - 3} more`) : null];
}

export function served({ serving, policy }) {
  return serving?.tier ? tier(serving.tier) : `chosen per request by ${policy ?? serving?.policy ?? "the policy"}`;
}
