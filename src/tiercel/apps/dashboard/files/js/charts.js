// A chart with its legend, a text that says the same, and the figures as a table for who wants or needs them.
import { el } from "./dom.js";
import { momentOf } from "./format.js";
import { draw, newest } from "./plot.js";
import { table } from "./tables.js";

export const COLOURS = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];
const TIERS = { cheap: "c1", capable: "c0", premium: "c3" };
export const tierColour = (tier, i) => TIERS[tier] ?? COLOURS[(i + 4) % COLOURS.length];

// { key, title, at, width_s, series: [{ name, values, colour, low, high }], format, range, stacked, nothing }
export function timeChart(chart) {
  chart.moment = (epoch_s) => momentOf(epoch_s, chart.width_s);
  const measured = chart.series.filter((one) => one.values.some((value) => value !== null));
  const title = el("h3", {}, chart.title);
  if (!measured.length) {
    return el("figure", { class: "chart", "data-key": `${chart.key}-none` }, el("figcaption", {}, title), el("p", { class: "nothing" }, chart.nothing));
  }
  const shown = { ...chart, series: measured };
  return el("figure", { class: "chart", "data-key": chart.key },
    el("figcaption", {}, el("div", { class: "titled" }, title, el("span", { class: "when" }, "newest")), legend(shown)),
    el("div", { class: "plot", "data-paint": true, role: "img", "aria-label": summary(shown), paint: (node) => draw(node, shown) }),
    figures(`${chart.key}-figures`, () => timeTable(shown)),
  );
}

function legend({ series, format }) {
  return el("ul", { class: "legend" },
    series.map((one) => el("li", {}, el("span", { class: `swatch ${one.colour}`, "aria-hidden": "true" }), `${one.name} `, el("span", { class: "value" }, format(newest(one.values))))),
  );
}

function summary({ title, series, format, at }) {
  const parts = series.map((one) => {
    const known = one.values.filter((value) => value !== null);
    return `${one.name}: newest ${format(known.at(-1))}, lowest ${format(Math.min(...known))}, highest ${format(Math.max(...known))}`;
  });
  return `${title}, ${at.length} points over time. ${parts.join("; ")}.`;
}

// Built when it is opened, and renewed only while it is.
export function figures(key, build) {
  const toggled = (event) => {
    const details = event.currentTarget;
    if (details.open && !details.querySelector("table")) details.append(build());
  };
  const open = document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.open;
  return el("details", { class: "figures", "data-key": key, ontoggle: toggled }, el("summary", {}, "Figures"), open && build());
}

function timeTable({ title, at, series, format, moment }) {
  const columns = [
    { name: "From", cell: (i) => moment(at[i]) },
    ...series.map((one) => ({
      name: one.name,
      number: true,
      cell: (i) => (one.low && one.low[i] !== null ? `${format(one.values[i])} (${format(one.low[i])} to ${format(one.high[i])})` : format(one.values[i])),
    })),
  ];
  const rows = at.map((_, i) => i).filter((i) => series.some((one) => one.values[i] !== null)).reverse();
  return table(title, columns, rows, { label: "unseen" });
}
