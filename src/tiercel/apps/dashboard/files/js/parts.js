// Small pieces that every page is made of.
import { el, tell } from "./dom.js";

export const heading = (title, lead = null, ...actions) =>
  el("div", { class: "heading" }, el("div", {}, el("h1", { tabindex: -1 }, title), lead && el("p", { class: "quiet" }, lead)), actions);

export const panel = (title, ...content) => el("section", { class: "panel" }, el("h2", {}, title), content);

// What there is not, and what to do about it.
export const empty = (what, ...todo) => el("div", { class: "empty" }, el("p", { class: "strong" }, what), el("p", {}, todo));

export const code = (text) => el("code", {}, text);

export const missing = (what) => empty(`${what}: not available.`, "This gateway's version does not offer it.");

export const chip = (text, kind = "") => el("span", { class: `chip ${kind}` }, text);

const TIERS = { cheap: "tier-cheap", capable: "tier-capable", premium: "tier-premium" };
export const tier = (name) => (name ? chip(name, TIERS[name] ?? "tier-other") : "\u2013");

const SEVERITIES = { INFO: "info", WARNING: "warning", ERROR: "error", CRITICAL: "critical" };
export const severity = (name) => chip(name, `severity ${SEVERITIES[name] ?? "info"}`);

export function share(value, text) {
  if (value === null || value === undefined) return "\u2013";
  return el("span", { class: "share" }, el("span", { class: "bar", "aria-hidden": "true" }, el("span", { width_share: Math.min(1, value) })), text);
}

// A button that acts once at a time and says what came of it.
export function action(text, act, { kind = "", disabled = false } = {}) {
  return el("button", { type: "button", class: kind, disabled, onclick: (event) => acted(event.currentTarget, act) }, text);
}

export async function acted(button, act) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    tell(await act());
  } catch (error) {
    notice(error.message);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// Said where everybody sees it, until the next one or a while is over.
function notice(text, kind = "error") {
  document.querySelector(".toast")?.remove();
  const shown = el("div", { class: `toast ${kind}`, role: "alert" }, text,
    el("button", { type: "button", "aria-label": "Dismiss", onclick: () => shown.remove() }, "\u00d7"));
  document.body.append(shown);
}
