/** Picking values: by mouse, by keyboard along rows and columns, and showing which ones are plotted. */

import { headingOf, pathsOf } from "./paths.js";
import { onPlotState, plotState, togglePlot } from "./plotpanel.js";

const BUTTONS = ".total, .hb, .spark";
const body = document.getElementById("body");
let current = null; // the cell that had the keyboard last

/** Gives the tables of a new body their keyboard and their roles: with scripts, a value is something to press. */
export function prepareValues() {
  for (const table of body.querySelectorAll("table.figures")) {
    table.setAttribute("role", "grid");
    table.setAttribute("aria-multiselectable", "true");
  }
  for (const button of body.querySelectorAll(BUTTONS)) {
    if (pathsOf(button).length === 0) continue;
    button.setAttribute("role", "button");
    button.tabIndex = 0;
  }
  const first = body.querySelector("table.figures tbody td:not(:empty)");
  if (first) first.tabIndex = 0;
  current = first;
  showSelected(plotState());
}

function placeOf(target) {
  return target.closest?.("table.figures :is(tbody, tfoot) td, .total, .hb, .spark, [data-path]") ?? null;
}

/** Plots the value, or takes it out of the plot. */
function toggle(place) {
  const paths = pathsOf(place);
  if (paths.length) togglePlot(paths);
}

/** What Enter does on a value: the same, or where there is nothing to plot, open the page of its row. */
function enter(place) {
  if (pathsOf(place).length) toggle(place);
  else place.closest("tr")?.querySelector("th a")?.click();
}

function showSelected({ targets }) {
  for (const node of body.querySelectorAll("[aria-selected], [aria-pressed]")) {
    node.removeAttribute("aria-selected");
    node.removeAttribute("aria-pressed");
  }
  if (targets.length === 0) return;
  const wanted = new Set(targets);
  for (const cell of body.querySelectorAll("table.figures td:not(:empty)")) {
    const paths = pathsOf(cell);
    if (paths.length && paths.every((path) => wanted.has(path))) cell.setAttribute("aria-selected", "true");
  }
  for (const button of body.querySelectorAll(BUTTONS)) {
    if (pathsOf(button).some((path) => wanted.has(path))) button.setAttribute("aria-pressed", "true");
  }
}

const isShown = (row) => row.offsetParent !== null;

function focusCell(cell, { scroll = true } = {}) {
  if (!cell) return;
  if (current) current.tabIndex = -1;
  body.querySelector("tr.at")?.classList.remove("at");
  current = cell;
  cell.tabIndex = 0;
  cell.parentElement.classList.add("at");
  cell.focus({ preventScroll: true });
  if (scroll) cell.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Moves to the next (1) or previous (-1) row that is shown, over the borders of tables, staying in its column. */
export function moveRow(step) {
  const rows = [...body.querySelectorAll("table.figures :is(tbody, tfoot) tr")];
  const from = current?.isConnected && current.parentElement.classList.contains("at") ? rows.indexOf(current.parentElement) : -1;
  for (let index = from === -1 && step < 0 ? rows.length - 1 : from + step; index >= 0 && index < rows.length; index += step) {
    if (!isShown(rows[index])) continue;
    const cells = [...rows[index].cells].filter((cell) => cell.tagName === "TD" && cell.textContent !== "");
    if (cells.length === 0) continue;
    const column = current?.cellIndex ?? 0;
    focusCell(cells.find((cell) => cell.cellIndex >= column) ?? cells[cells.length - 1]);
    return;
  }
}

/** Moves to the next (1) or previous (-1) value of the row. */
export function moveColumn(step) {
  if (!current?.isConnected) return;
  const cells = [...current.parentElement.cells].filter((cell) => cell.tagName === "TD" && cell.textContent !== "");
  focusCell(cells[cells.indexOf(current) + step]);
}

/** Where the keyboard is, in words that outlive a new body. */
export function rememberFocus() {
  const cell = document.activeElement?.closest?.("#body td");
  return cell ? pathsOf(cell).join("|") : null;
}

export function restoreFocus(remembered) {
  if (!remembered) return;
  for (const cell of body.querySelectorAll("table.figures td:not(:empty)")) {
    if (pathsOf(cell).join("|") === remembered) { focusCell(cell, { scroll: false }); return; }
  }
}

export function startSelecting() {
  body.addEventListener("click", (event) => {
    if (event.target.closest("a, thead")) return;
    const place = placeOf(event.target);
    if (!place) return;
    if (place.tagName === "TD" && place.textContent !== "") focusCell(place);
    toggle(place);
  });
  body.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    const place = event.target.matches("td, [role=button]") ? event.target : null;
    if (!place) return;
    event.preventDefault();
    enter(place);
  });
  body.addEventListener("mouseover", (event) => {
    const cell = event.target.closest("table.figures :is(tbody, tfoot) td:not(:empty)");
    if (cell && !cell.title) cell.title = hint(cell);
  });
  onPlotState(showSelected);
  prepareValues();
}

function hint(cell) {
  const heading = headingOf(cell);
  return heading ? heading.title || heading.textContent : "";
}
