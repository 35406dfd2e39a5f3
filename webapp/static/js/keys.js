/** The keyboard: one key, one thing; listed in the help that `?` opens. */

import { acknowledgeChosen, moveAlert, silenceChosen } from "./alerts.js";
import { isTyping } from "./dom.js";
import { toggleShowAll } from "./filter.js";
import { toggleWall } from "./look.js";
import { toggleMarks } from "./marks.js";
import { closePlot, zoomOut } from "./plotpanel.js";
import { refreshNow, togglePause } from "./refresh.js";
import { backToList, moveResult, stepResult } from "./results.js";
import { sayChosen, takeLastBack } from "./review.js";
import { moveColumn, moveRow } from "./select.js";

const click = (id) => document.getElementById(id)?.click();

const KEYS = {
  "/": () => (document.getElementById("filter") ?? document.getElementById("finder-text"))?.focus(),
  j: () => moveAlert(1) || moveResult(1) || moveRow(1), ArrowDown: (event) => onCell(event, () => moveRow(1)),
  k: () => moveAlert(-1) || moveResult(-1) || moveRow(-1), ArrowUp: (event) => onCell(event, () => moveRow(-1)),
  l: () => moveColumn(1), ArrowRight: (event) => stepResult(1) || onCell(event, () => moveColumn(1)),
  h: () => moveColumn(-1), ArrowLeft: (event) => stepResult(-1) || onCell(event, () => moveColumn(-1)),
  z: zoomOut, a: toggleShowAll, r: refreshNow, p: togglePause,
  t: () => click("theme"), w: () => document.body.dataset.page === "status" && toggleWall(),
  b: backToList, m: toggleMarks, c: acknowledgeChosen, s: silenceChosen,
  1: () => sayChosen("right"), 2: () => sayChosen("wrong"), 3: () => sayChosen("corrected"), u: takeLastBack,
  "?": () => click("help"), Escape: closePlot,
};

/** Arrows scroll the page, except on a value, where they move from one to the next. */
function onCell(event, move) {
  if (!event.target.matches("#body td")) return false;
  move();
  return true;
}

export function startKeys() {
  const help = document.getElementById("help-dialog");
  document.getElementById("help").addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || document.querySelector("dialog[open]")) return;
    const act = KEYS[event.key];
    if (act && act(event) !== false) event.preventDefault();
  });
}
