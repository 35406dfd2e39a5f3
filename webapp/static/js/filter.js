/** The filter box (grids, clouds, types whose names contain every word typed) and the switch for clouds without VMs. */

import { recall, remember } from "./look.js";

const root = document.documentElement;
const box = document.getElementById("filter");
const showAll = document.getElementById("show-all");
const count = document.getElementById("filter-count");

const nameOf = (row) => [...row.querySelectorAll("th")].map((heading) => heading.textContent).join(" ");

/** Shows what the words typed apply to, in the page as it is now. */
export function applyFilter() {
  if (!box) return;
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (text) => words.every((word) => text.includes(word));
  root.toggleAttribute("data-filtering", words.length > 0);
  let shown = 0;
  for (const grid of document.querySelectorAll("#body section.grid")) {
    const name = grid.querySelector("h2").textContent.toLowerCase();
    const whole = matches(name);
    let any = whole;
    for (const group of grid.querySelectorAll("tbody")) {
      const rows = group.dataset.cloud === undefined ? [...group.rows] : [group];
      for (const row of rows) {
        const found = whole || matches(`${name} ${nameOf(row).toLowerCase()}`);
        row.classList.toggle("out", !found);
        any ||= found;
        if (found && group.dataset.cloud !== undefined) shown += 1;
      }
    }
    grid.classList.toggle("out", !any);
  }
  count.textContent = words.length ? `${shown} ${shown === 1 ? "cloud" : "clouds"}` : "";
}

/** How many clouds are folded away in the page as it is now. */
export function countFolded() {
  const place = document.getElementById("folded-count");
  if (place) place.textContent = String(document.querySelectorAll("#body tbody.folds").length);
}

function applyShowAll() {
  root.toggleAttribute("data-all", showAll.checked);
  remember("show-all", showAll.checked ? "1" : "");
}

export function toggleShowAll() {
  if (!showAll) return;
  showAll.checked = !showAll.checked;
  applyShowAll();
}

export function startFilter() {
  if (!box) return;
  showAll.checked = recall("show-all") === "1";
  applyShowAll();
  showAll.addEventListener("change", applyShowAll);
  box.addEventListener("input", applyFilter);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    box.value = "";
    applyFilter();
    box.blur();
    event.stopPropagation();
  });
  applyFilter();
}
