/** The pages of alerts: going through them, acknowledging and silencing; and their count in every page's head. */

import { askFor, sendChange } from "./change.js";
import { element } from "./dom.js";
import { onRefresh, refreshNow } from "./refresh.js";

const body = document.getElementById("body");
const { dataset } = document.body;
const title = document.title.replace(/^\(\d+\) /, "");
const find = (id) => document.getElementById(id);
let current = null; // id of the alert that had the keyboard last

const linesOf = () => [...body.querySelectorAll("li.alert")];
const lineOf = (node) => node?.closest?.("[data-alert]") ?? null;

/** The alert that a key is about: where the keyboard is, or the page's only one. */
function chosen() {
  return lineOf(document.activeElement)
    ?? body.querySelector(`[data-alert="${CSS.escape(current ?? "")}"]`) ?? body.querySelector("[data-alert]");
}

/** Moves to the next (1) or previous (-1) alert; false where the page lists none. */
export function moveAlert(step) {
  const lines = linesOf();
  if (lines.length === 0) return false;
  const at = lines.indexOf(lineOf(document.activeElement));
  const next = lines[at === -1 ? (step > 0 ? 0 : lines.length - 1) : at + step];
  if (next) focusLine(next);
  return true;
}

function focusLine(line) {
  for (const one of linesOf()) one.tabIndex = -1;
  line.tabIndex = 0;
  line.focus({ preventScroll: true });
  line.scrollIntoView({ block: "nearest" });
}

/** A place and all above it, from the innermost; places are quoted names joined by `/`. */
export function placesAbove(place) {
  const names = place ? place.split("/") : [];
  return [...names.map((_, index) => names.slice(0, names.length - index).join("/")), "*"];
}

function placeName(place) {
  if (place === "*") return "everything";
  return place.split("/").map((name) => { try { return decodeURIComponent(name); } catch { return name; } }).join(" / ");
}

export function acknowledgeChosen() {
  const line = chosen();
  if (!line) return false;
  const dialog = find("ack-dialog"), takeBack = dialog.querySelector("option[value='']");
  takeBack.hidden = takeBack.disabled = line.dataset.acknowledged === undefined;
  if (takeBack.disabled && takeBack.selected) dialog.querySelector("[name=for_s]").value = "14400";
  askFor(dialog, line.dataset.text, async (fields, token) => {
    const for_s = Number(fields.get("for_s"));
    const asked = for_s ? { body: { for_s, note: String(fields.get("note")) } } : { method: "DELETE" };
    await sendChange(`api/alerts/${encodeURIComponent(line.dataset.alert)}/acknowledge`, { ...asked, token });
    void refreshNow();
  });
  return true;
}

export function silenceChosen() {
  const line = chosen();
  if (!line) return false;
  const dialog = find("silence-dialog");
  const { place, rule } = line.dataset;
  dialog.querySelector("[name=place]").replaceChildren(
    ...placesAbove(place).map((value) => element("option", { value }, placeName(value))));
  dialog.querySelector("[name=rule]").replaceChildren(
    element("option", { value: rule }, rule), element("option", { value: "*" }, "all rules"));
  askFor(dialog, line.dataset.text, async (fields, token) => {
    const over = fields.get("for_s") === "over";
    const asked = { place: fields.get("place"), rule: fields.get("rule"), comment: String(fields.get("comment")), until_over: over };
    await sendChange("api/silences", { body: over ? asked : { ...asked, for_s: Number(fields.get("for_s")) }, token });
    void refreshNow();
  });
  return true;
}

function endSilence(button) {
  const text = [...button.closest("tr").cells].slice(0, 2).map((cell) => cell.textContent.trim()).join(", rule ");
  askFor(find("unsilence-dialog"), text, async (fields, token) => {
    await sendChange(`api/silences/${button.dataset.silence}`, { method: "DELETE", token });
    void refreshNow();
  });
}

/** How many fire, in the head of the page and in the tab's name. */
function showCount({ firing, worst }) {
  const badge = find("alert-count");
  badge.hidden = firing === 0;
  badge.className = `count ${worst}`;
  badge.replaceChildren(String(firing), element("span", { class: "sr" }, " firing"));
  document.title = firing ? `(${firing}) ${title}` : title;
}

const ACTS = { ack: acknowledgeChosen, silence: silenceChosen };

export function startAlerts() {
  onRefresh("values", ({ alerts } = {}) => { if (alerts) showCount(alerts); });
  if (!["alerts", "alert"].includes(dataset.page)) return;
  body.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (!button) return;
    if (button.dataset.act === "unsilence") { endSilence(button); return; }
    current = lineOf(button)?.dataset.alert ?? null;
    ACTS[button.dataset.act]();
  });
  body.addEventListener("focusin", (event) => { current = lineOf(event.target)?.dataset.alert ?? current; });
  body.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("li.alert")) event.target.querySelector(".alert-name").click();
  });
  let had = null; // the alert that has the keyboard, while the body is replaced
  onRefresh("before", () => { had = lineOf(document.activeElement)?.dataset.alert ?? null; });
  onRefresh("body", () => {
    const line = had && body.querySelector(`li[data-alert="${CSS.escape(had)}"]`);
    if (line) focusLine(line);
    else prepareLines();
  });
  prepareLines();
}

function prepareLines() {
  const [first] = linesOf();
  if (first) first.tabIndex = 0;
}
