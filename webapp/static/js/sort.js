/**
 * Sorting a table by a column: largest first, then smallest first, then as it came. Clouds keep their types together.
 * A long list is sorted by the server, which knows all of it: its headings are links.
 */

const body = document.getElementById("body");
const HEADINGS = "table.figures:not(.listed) thead tr:last-child th";
const orders = new Map(); // table -> {column, direction}, kept over a new body

const keyOf = (table) => `${table.dataset.at}|${table.caption?.textContent ?? ""}`;

const UNITS_S = { s: 1, min: 60, h: 3600, d: 86400 };

/** The number in a cell; of an age, such as `2 h 5 min`, its seconds. */
function readNumber(cell) {
  const text = (cell?.textContent ?? "").replace(/[\u202f\s]/g, "");
  if (/^(\d+(s|min|h|d))+$/.test(text)) {
    return [...text.matchAll(/(\d+)([a-z]+)/g)].reduce((sum, [, count, unit]) => sum + count * UNITS_S[unit], 0);
  }
  return /^-?\d/.test(text) ? Number.parseFloat(text) : null;
}

/** What a group of rows (a cloud) or a row is sorted by: the sum of a column, or its name, or words. */
function valueOf(rows, column, byName) {
  const cell = rows[0].cells[column];
  if (byName || cell?.matches(".t:not(.since)")) return cell.textContent.toLowerCase() || null;
  const numbers = rows.map((row) => readNumber(row.cells[column])).filter((number) => number !== null);
  return numbers.length ? numbers.reduce((sum, number) => sum + number, 0) : null;
}

function compare(a, b, direction) {
  if (a === b) return 0;
  if (a === null) return 1; // missing values stay at the end, whatever the direction
  if (b === null) return -1;
  return (a < b ? -1 : 1) * direction;
}

function arrange(parent, items, rowsOf, column, direction, byName) {
  const before = (item) => Number(item.dataset.place);
  items.forEach((item, index) => { item.dataset.place ??= String(index); });
  const keyed = items.map((item) => [item, direction ? valueOf(rowsOf(item), column, byName) : null]);
  keyed.sort(([a, x], [b, y]) => (direction ? compare(x, y, direction) : 0) || before(a) - before(b));
  if (keyed.every(([item], index) => item === items[index])) return;
  const after = items[items.length - 1].nextSibling;
  for (const [item] of keyed) parent.insertBefore(item, after);
}

function applyOrder(table, { column, direction, byName }) {
  const bodies = [...table.tBodies];
  if (bodies.length > 1) arrange(table, bodies, (one) => [...one.rows], column, direction, byName);
  else if (bodies[0]?.rows.length) arrange(bodies[0], [...bodies[0].rows], (row) => [row], column, direction, byName);
  const headings = table.tHead.rows[table.tHead.rows.length - 1].cells;
  for (const heading of headings) heading.removeAttribute("aria-sort");
  if (direction) headings[column].setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
}

function toggleOrder(heading) {
  const table = heading.closest("table");
  const column = heading.cellIndex, byName = heading.classList.contains("name");
  const old = orders.get(keyOf(table));
  const steps = byName ? [1, -1, 0] : [-1, 1, 0];
  const direction = old?.column === column ? steps[(steps.indexOf(old.direction) + 1) % 3] : steps[0];
  const order = { column, direction, byName };
  if (direction) orders.set(keyOf(table), order);
  else orders.delete(keyOf(table));
  applyOrder(table, order);
}

/** Puts the tables into the order chosen before, with the values of now. */
export function keepOrder() {
  if (orders.size === 0) return;
  const focused = document.activeElement;
  for (const table of body.querySelectorAll("table.figures")) {
    const order = orders.get(keyOf(table));
    if (order) applyOrder(table, order);
  }
  if (document.activeElement !== focused) focused.focus({ preventScroll: true }); // moving an element takes it away
}

/** Makes the headings of a new body reachable by keyboard. */
export function prepareHeadings() {
  for (const heading of body.querySelectorAll(HEADINGS)) heading.tabIndex = 0;
}

export function startSorting() {
  const onHeading = (event) => {
    const heading = event.target.closest(HEADINGS);
    if (!heading || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    toggleOrder(heading);
  };
  body.addEventListener("click", onHeading);
  body.addEventListener("keydown", onHeading);
  prepareHeadings();
}

