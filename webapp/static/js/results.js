/** Results one by one: moving along the gallery, and from one result's page to its neighbours', by keys. */

import { startPictures } from "./pictures.js";
import { onRefresh } from "./refresh.js";
import { watchStructures } from "./structures.js";

/** The result that a node is in, or null. */
export const resultOf = (node) => node?.closest?.("#body [data-result]") ?? null;

/** On a result's page: opens the next (1) or previous (-1) one of the list. False on other pages. */
export function stepResult(step) {
  const steps = document.querySelector(".steps");
  steps?.querySelector(step > 0 ? "a[rel=next]" : "a[rel=prev]")?.click();
  return steps !== null;
}

/** The same, or in the gallery moves on to the next or previous result. False on other pages. */
export function moveResult(step) {
  if (stepResult(step)) return true;
  const results = [...document.querySelectorAll(".gallery [data-result]")];
  if (results.length === 0) return false;
  const at = results.indexOf(resultOf(document.activeElement));
  const next = results[at === -1 ? (step > 0 ? 0 : results.length - 1) : at + step];
  next?.querySelector(".result-head a").focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
  return true;
}

/** From a result's page back to the list it is of. */
export function backToList() {
  const link = document.getElementById("to-list");
  link?.click();
  return link !== null;
}

export function startResults() {
  startPictures();
  watchStructures();
  let focused = null;
  onRefresh("before", () => {
    const active = document.activeElement, result = resultOf(active);
    focused = result && { key: result.dataset.result, isCopy: active.matches("[data-copy]") };
  });
  onRefresh("body", () => {
    watchStructures();
    const result = focused && document.querySelector(`#body [data-result="${focused.key}"]`);
    result?.querySelector(focused.isCopy ? "[data-copy]" : "a")?.focus({ preventScroll: true });
  });
}
