/** How held jobs have changed since the same time yesterday: a column that the browser adds and fills. */

import { serverNow } from "./clock.js";
import { element } from "./dom.js";
import { pathsOf } from "./paths.js";
import { targetsMax } from "./plotstate.js";
import { fetchSeries, summarise } from "./series.js";

const DAY_S = 86400;
const EVERY_S = 600; // yesterday does not change; its same time moves on
const yesterday = new Map(); // path -> value a day ago, null for none
let askedAt_s = 0;

/** Adds the column where a table asks for it, and fills it from the values of now and of a day ago. */
export async function showChanges() {
  const rows = [...document.querySelectorAll("#body .with-change table.figures")].flatMap(prepareTable);
  const unknown = rows.filter(({ path }) => !yesterday.has(path));
  if (unknown.length || serverNow() - askedAt_s > EVERY_S) await askYesterday(rows.map(({ path }) => path));
  rows.forEach(showChange);
}

function prepareTable(table) {
  if (!table.querySelector(".change")) {
    table.tHead.rows[0].append(element("th", {
      scope: "col", class: "change", title: "Against the same time yesterday", tabindex: 0,
    }, "Since yesterday"));
    for (const row of table.tBodies[0].rows) row.append(element("td", { class: "change m" }, "–"));
  }
  return [...table.tBodies[0].rows].map((row) => ({
    value: row.querySelector("td"), change: row.querySelector(".change"), path: pathsOf(row.querySelector("td"))[0],
  }));
}

async function askYesterday(paths) {
  const then_s = serverNow() - DAY_S;
  const together = targetsMax();
  for (let first = 0; first < paths.length; first += together) {
    const some = paths.slice(first, first + together);
    const answer = await fetchSeries(some, then_s - 600, then_s + 60).catch(() => null);
    if (!answer) return;
    for (const path of some) {
      yesterday.set(path, summarise(answer.series.find((one) => one.target === path)?.values ?? []).current);
    }
    askedAt_s = serverNow();
  }
}

function showChange({ value, change, path }) {
  const now = Number.parseFloat(value.textContent.replace(/[\u202f\s]/g, ""));
  if (!yesterday.has(path) || !Number.isFinite(now)) return;
  const before = yesterday.get(path);
  const difference = now - (before ?? 0);
  change.textContent = before === null ? "new" : difference > 0 ? `+${difference}` : difference < 0 ? `−${-difference}` : "0";
  change.className = `change ${difference > 0 ? "w" : difference === 0 ? "z" : ""}`.trim();
  change.title = before === null ? "No value is known of yesterday" : `${before} at this time yesterday`;
}
