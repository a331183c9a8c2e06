// The shell: which page is shown, for whom, over which time; and when it is read again.
import { Refused, account, readAccount, signIn, signOut } from "./api.js";
import { el, renew, tell } from "./dom.js";
import { Live } from "./live.js";
import { acted, heading, missing } from "./parts.js";
import alerts from "./pages/alerts.js";
import approvals from "./pages/approvals.js";
import decision from "./pages/decision.js";
import decisions from "./pages/decisions.js";
import evaluations from "./pages/evaluations.js";
import models from "./pages/models.js";
import overview from "./pages/overview.js";
import routing from "./pages/routing.js";

const PAGES = { "": overview, routing, decisions, models, alerts, approvals, evaluations };
const RANGES = { last_hour: "Last hour", last_24_hours: "Last 24 hours", last_7_days: "Last 7 days", last_30_days: "Last 30 days" };
const RANGE_KEY = "tiercel.time_range";

const main = document.getElementById("main");
const shown = { page: null, place: null, parameters: {}, state: "connecting", turn: 0, moved: false, failed: false, why: "" };
const context = {
  get range() {
    return RANGES[sessionStorage.getItem(RANGE_KEY)] ? sessionStorage.getItem(RANGE_KEY) : "last_hour";
  },
  get rangeName() {
    return RANGES[this.range].toLowerCase();
  },
  // read again soon, as after something was changed here
  refresh: () => live.now(),
};
const live = new Live(() => refresh(), (state) => {
  shown.state = state;
  tools();
});

function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const id = rest.join("/");
  const page = name === "decisions" && id ? decision : PAGES[name];
  const turned = !shown.page || shown.place !== path;
  shown.page = page ?? null;
  shown.place = path;
  shown.parameters = { id: id && decodeURIComponent(id), ...Object.fromEntries(new URLSearchParams(query)) };
  return turned;
}

async function go() {
  const turned = route();
  shown.turn += 1;
  navigation();
  if (!shown.page) {
    renew(main, heading("There is no such page", "Choose one above."));
    return;
  }
  document.title = `${shown.page.title} \u00b7 tiercel`;
  if (turned) main.setAttribute("aria-busy", "true");
  if ((await readAndFollow()) && turned && shown.moved) focusHeading();
  shown.moved = true;
}

// The first reading comes first: the stream of events is opened when it is done. False where another page came between.
async function readAndFollow() {
  const { page, turn } = shown;
  await live.now();
  if (turn !== shown.turn || !shown.page) return false;
  live.follow(page.kinds ?? "outcome,feedback,tier_change,approval,drift,alert");
  return true;
}

function focusHeading() {
  window.scrollTo(0, 0);
  main.querySelector("h1")?.focus({ preventScroll: true });
}

// Read what the page shows and show it. What comes too late, for a page left meanwhile, is not shown.
async function refresh() {
  const { page, turn, parameters } = shown;
  if (!page) return;
  try {
    const data = await page.read(context, parameters);
    if (turn !== shown.turn) return;
    renew(main, page.view(data, context, parameters));
    shown.failed = false;
  } catch (error) {
    if (turn !== shown.turn) return;
    if (error instanceof Refused && error.status === 401) {
      askForKey();
      return;
    }
    failed(page, error);
  } finally {
    main.removeAttribute("aria-busy");
  }
  tools();
}

// What was shown stays, marked as old, while the gateway does not answer.
function failed(page, error) {
  const text = error instanceof Refused ? error.message : "The gateway cannot be reached. What is shown may be old; it is tried again.";
  if (!main.querySelector("h1")) renew(main, [heading(page.title), el("p", { class: "note error" }, text)]);
  if (error instanceof Refused && error.status === 404) renew(main, [heading(page.title), page.missing?.(error) ?? missing(page.title)]);
  shown.failed = true;
  shown.why = text;
  tools();
}

function navigation() {
  const here = shown.place.split("/")[0];
  renew(document.getElementById("nav"), el("ul", {}, Object.entries(PAGES).map(([path, page]) =>
    el("li", {}, el("a", { href: `#/${path}`, "aria-current": path === here ? "page" : null }, page.title)))));
}

const STATES = {
  connecting: ["wait", "Connecting"],
  live: ["good", "Live"],
  polling: ["wait", "Every 5 s"],
  failed: ["bad", "Not reachable"],
};
const EXPLAINED = {
  connecting: "Connecting to the stream of events",
  live: "Told of events as they happen",
  polling: "The stream of events is away: figures are read every 5 seconds",
};

function tools() {
  const name = shown.failed ? "failed" : shown.state;
  const [kind, text] = STATES[name];
  const picker = el("label", { class: "range" }, el("span", { class: "unseen" }, "Time range"),
    el("select", { id: "range", onchange: (event) => choose(event.currentTarget.value) },
      Object.entries(RANGES).map(([value, label]) => el("option", { value, selected: value === context.range }, label))));
  const state = el("span", { class: `state ${kind}`, id: "state", role: "status", title: shown.failed ? shown.why : EXPLAINED[name] }, text);
  const who = account.role && el("span", { class: "role", id: "role" }, el("span", { class: "unseen" }, "Signed in as "), [account.name, account.role].filter(Boolean).join(", "));
  const out = account.keys && account.role && el("button", { type: "button", class: "plain", onclick: (event) => acted(event.currentTarget, leave) }, "Sign out");
  renew(document.getElementById("tools"), [state, shown.page?.timed !== false && picker, who, out]);
}

function choose(range) {
  sessionStorage.setItem(RANGE_KEY, range);
  shown.turn += 1;
  tell(`Showing the ${RANGES[range].toLowerCase()}`);
  readAndFollow();
}

async function leave() {
  await signOut();
  askForKey();
  return "Signed out";
}

function askForKey() {
  live.stop();
  shown.page = null;
  account.role = null;
  document.title = "Sign in \u00b7 tiercel";
  renew(document.getElementById("nav"), []);
  renew(document.getElementById("tools"), []);
  const problem = el("p", { class: "note error", id: "problem", role: "alert", hidden: true });
  const field = el("input", { id: "key", name: "key", type: "password", autocomplete: "current-password", required: true, "aria-describedby": "problem" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await signIn(field.value);
      field.value = "";
      await go();
      focusHeading();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      field.focus();
    }
  };
  main.replaceChildren(el("section", { class: "panel login" }, el("h1", { tabindex: -1 }, "Sign in"),
    el("p", { class: "quiet" }, "This gateway asks for an API key. Keys are named in tiercel.toml."),
    el("form", { onsubmit: submit }, el("label", { for: "key" }, "API key"), field, problem, el("button", { type: "submit", class: "primary" }, "Sign in"))));
  main.removeAttribute("aria-busy");
  field.focus();
}

async function begin() {
  try {
    await readAccount();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      askForKey();
      return;
    }
  }
  await go();
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => account.role && go());
begin();
