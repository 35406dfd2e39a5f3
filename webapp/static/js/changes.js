/** How held jobs have changed since the same time yesterday: a column that the browser fills from two points in time. */

import { serverNow } from "./clock.js";
import { element } from "./dom.js";
import { pathsOf } from "./paths.js";
import { fetchSeries, summarise } from "./series.js";

const DAY_S = 86400;
const AT_ONCE = 20;

/** Adds the column to the tables that ask for it. */
export async function showChanges() {
  const rows = [];
  for (const table of document.querySelectorAll("#body .with-change table.figures")) {
    if (table.querySelector("[data-own]")) continue;
    table.tHead.rows[0].append(element("th", { scope: "col", "data-own": true, title: "Against the same time yesterday" }, "Since yesterday"));
    for (const row of table.tBodies[0].rows) {
      const path = pathsOf(row.querySelector("td"))[0];
      const cell = element("td", { "data-own": true, class: "m" }, "–");
      row.append(cell);
      rows.push({ row, path, cell });
    }
  }
  if (rows.length === 0) rows.push(...findRows());
  const then_s = serverNow() - DAY_S;
  for (let first = 0; first < rows.length; first += AT_ONCE) {
    const some = rows.slice(first, first + AT_ONCE);
    const answer = await fetchSeries(some.map(({ path }) => path), then_s - 600, then_s + 60).catch(() => null);
    for (const one of answer ? some : []) {
      const before = summarise(answer.series.find((each) => each.target === one.path)?.values ?? []).current;
      showChange(one, before);
    }
  }
}

function findRows() {
  return [...document.querySelectorAll("#body .with-change tbody tr")].map((row) => ({
    row, path: pathsOf(row.querySelector("td"))[0], cell: row.querySelector("[data-own]"),
  }));
}

function showChange({ row, cell }, before) {
  const now = Number.parseFloat(row.querySelector("td").textContent.replace(/[\u202f\s]/g, ""));
  if (!Number.isFinite(now)) return;
  const change = now - (before ?? 0);
  cell.textContent = before === null ? "new" : change > 0 ? `+${change}` : change < 0 ? `−${-change}` : "0";
  cell.className = change > 0 ? "w" : change === 0 ? "z" : "";
  cell.title = before === null ? "No value is known for yesterday" : `${before} at this time yesterday`;
}
