// Tables that become cards on a narrow screen. The roles are said because the cards' layout would take them away.
import { el } from "./dom.js";

// `columns`: [{ name, cell: (row) => text or node, number: bool, short: bool }]; the first one names the row.
export function table(caption, columns, rows, { key = null, mark = null, label = null } = {}) {
  const head = columns.map((column) =>
    el("th", { scope: "col", role: "columnheader", class: column.number && "number" }, column.name),
  );
  const lines = rows.map((row, i) =>
    el("tr", { role: "row", "data-key": key ? `row-${key(row, i)}` : null, class: mark?.(row) || null },
      columns.map((column, j) => cell(column, row, j === 0))),
  );
  return el("div", { class: "table" },
    el("table", { role: "table" },
      el("caption", { class: label === "unseen" ? "unseen" : null }, caption),
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
      el("tbody", { role: "rowgroup" }, lines),
    ),
  );
}

function cell(column, row, first) {
  const content = column.cell(row);
  const properties = { class: column.number ? "number" : column.short ? "short" : null, "data-label": column.name, role: first ? "rowheader" : "cell" };
  if (first) return el("th", { ...properties, scope: "row" }, content);
  return el("td", properties, el("div", {}, content));
}
