/** The log of events: local times, newest first, filtered by words. */

import { element } from "./dom.js";

const list = document.getElementById("events-list");
const box = document.getElementById("events-filter");
let newest = "";

function formatEventTime(at_s) {
  const at = new Date(at_s * 1000);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString([], { day: "2-digit", month: "short" })} ${time}`;
}

/** Replaces the log by `events` where it is not the same already. */
export function showEvents(events) {
  const signature = JSON.stringify(events);
  if (!list || signature === newest) return;
  newest = signature;
  const lines = events.map(({ at, kind, grid, message }) => element("li", { class: `event ${kind}` },
    element("time", { datetime: new Date(at * 1000).toISOString(), "data-at": at }, formatEventTime(at)),
    " ", element("b", {}, grid), ` ${message}`));
  list.replaceChildren(...(lines.length ? lines : [element("li", { class: "none" }, "Nothing has happened yet.")]));
  applyFilter();
}

function applyFilter() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const line of list.children) {
    const text = `${line.textContent} ${line.className}`.toLowerCase();
    line.hidden = !words.every((word) => text.includes(word));
  }
}

export function startEvents() {
  if (!list) return;
  for (const time of list.querySelectorAll("time")) time.textContent = formatEventTime(Number(time.dataset.at));
  box.addEventListener("input", applyFilter);
}
