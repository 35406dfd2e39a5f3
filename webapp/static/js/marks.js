/** What happened, as quiet marks on a plot: read by pointing at them or by keyboard, switched off by a button or `m`. */

import { element } from "./dom.js";
import { recall, remember } from "./look.js";
import { formatTime } from "./ranges.js";

const SETTING = "marks";
const APART_PX = 9; // marks that are nearer are one
const LINES_MAX = 8;
const layer = document.getElementById("plot-marks");
const button = document.getElementById("plot-marks-on");
let shown = { plot: null, marks: [] };

const areWanted = () => recall(SETTING) !== "off";

/** What happened in the range, of the grid that all targets are of; nothing where marks are off or cannot be had. */
export async function fetchMarks(targets, from_s, until_s, signal) {
  if (!areWanted()) return [];
  const query = new URLSearchParams({ from: Math.floor(from_s), until: Math.ceil(until_s) });
  const grids = new Set(targets.map((target) => target.split(".")[1]));
  if (grids.size === 1 && !grids.has("*")) query.set("grid", [...grids][0]);
  try {
    const answer = await fetch(`${document.body.dataset.root}api/annotations?${query}`, { signal });
    return answer.ok ? (await answer.json()).annotations : [];
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return [];
  }
}

/** A mark as a line of text. */
export function describeMark({ at, until, label, text, by }) {
  const span = until === null ? ", goes on" : until > at ? ` to ${formatTime(until)}` : "";
  return `${formatTime(at)}${span}  ${label}: ${text}${by ? ` (${by})` : ""}`;
}

/** Neighbours that would lie on each other, together; `xOf` gives pixels. */
export function groupMarks(marks, xOf) {
  const groups = [];
  for (const mark of [...marks].sort((a, b) => a.at - b.at)) {
    const x = xOf(mark.at);
    const last = groups[groups.length - 1];
    if (last && x - last.x < APART_PX) last.marks.push(mark);
    else groups.push({ x, marks: [mark] });
  }
  return groups;
}

export function showMarks(plot, marks) {
  shown = { plot, marks };
  placeMarks();
}

/** Puts the marks where their times are now: the plot may have another size. */
export function placeMarks() {
  const { plot, marks } = shown;
  if (!plot?.root.isConnected) { layer.replaceChildren(); return; }
  const over = plot.over.getBoundingClientRect(), around = layer.parentElement.getBoundingClientRect();
  Object.assign(layer.style, {
    left: `${over.left - around.left}px`, top: `${over.top - around.top}px`,
    width: `${over.width}px`, height: `${over.height}px`,
  });
  const xOf = (at) => Math.min(over.width, Math.max(0, plot.valToPos(at, "x")));
  const had = [...layer.querySelectorAll("button")].indexOf(document.activeElement);
  layer.replaceChildren(...spansOf(marks, xOf), ...groupMarks(marks, xOf).map((group) => markOf(group, over.width)));
  const all = layer.querySelectorAll("button");
  const next = all[Math.max(0, had)] ?? all[0];
  if (next) next.tabIndex = 0;
  if (had >= 0) next?.focus({ preventScroll: true });
}

function spansOf(marks, xOf) {
  return marks.filter(({ at, until }) => until === null || until > at).map(({ at, until, kind }) => {
    const span = element("i", { class: `span ${kind}` });
    const left = xOf(at);
    span.style.left = `${left}px`;
    span.style.width = `${Math.max(2, xOf(until ?? Number.MAX_SAFE_INTEGER) - left)}px`;
    return span;
  });
}

function markOf({ x, marks }, width) {
  const lines = marks.slice(0, LINES_MAX).map((mark) => element("span", {}, describeMark(mark)));
  if (marks.length > LINES_MAX) lines.push(element("span", {}, `and ${marks.length - LINES_MAX} more`));
  const made = element("button", { type: "button", tabindex: -1, class: `annotation${x > width / 2 ? " from-right" : ""}` },
    element("span", { class: "annotation-text" }, ...lines));
  made.style.left = `${x}px`;
  return made;
}

function moveFocus(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const all = [...layer.querySelectorAll("button")];
  const next = all[all.indexOf(document.activeElement) + step];
  event.preventDefault();
  event.stopPropagation();
  if (!next) return;
  for (const one of all) one.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/** Switches marks on or off, for this browser; `reload` draws the plot anew. */
export function startMarks(reload) {
  const show = () => button.setAttribute("aria-pressed", String(areWanted()));
  button.addEventListener("click", () => {
    remember(SETTING, areWanted() ? "off" : "");
    show();
    reload();
  });
  layer.addEventListener("keydown", moveFocus);
  show();
}

export const toggleMarks = () => { button.click(); };
