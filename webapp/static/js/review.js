/** Reviews of answers: right, wrong, what it is instead, taken back; by buttons and keys, each moving on to the next result. */

import { askFor, sendChange } from "./change.js";
import { closeEditor, openEditor } from "./editor.js";
import { refreshNow, renewBody } from "./refresh.js";
import { moveResult, resultOf } from "./results.js";
import { drawStructure } from "./structures.js";

const KEPT = "cloud-monitor-reviews"; // this tab's own, so that the last can be taken back
const KEPT_MAX = 200;
const DRAW_MS = 250; // after the last key
const find = (id) => document.getElementById(id);
const sending = new Set(); // results whose review is on its way

const mayReview = () => find("correct-dialog") !== null;
const placeOf = (result) => result.querySelector("[data-review]");
const smilesOf = (result) => result.querySelector("[data-smiles]").textContent;
const resultAt = (key) => document.querySelector(`#body [data-result="${CSS.escape(key)}"]`);

/** The result a key is about: where the keyboard is, or the page's only one. */
function chosen() {
  const all = document.querySelectorAll("#body [data-result]");
  return resultOf(document.activeElement) ?? (all.length === 1 ? all[0] : null);
}

function readOwn() {
  try { return JSON.parse(sessionStorage.getItem(KEPT)) ?? []; } catch { return []; }
}

const writeOwn = (own) => sessionStorage.setItem(KEPT, JSON.stringify(own.slice(-KEPT_MAX)));

function show(result, review) {
  const place = placeOf(result);
  if (!place) return;
  place.dataset.review = review?.number ?? "";
  const verdict = place.querySelector(".verdict");
  verdict.className = `verdict ${review?.verdict ?? "none"}`;
  verdict.querySelector("b").textContent = review ? place.querySelector(`[data-say="${review.verdict}"]`).dataset.words : "not reviewed";
  const say = (tag, text) => { const made = document.createElement(tag); made.textContent = text; return made; };
  const more = [];
  if (review?.corrected_smiles) more.push(" ", say("bdi", review.corrected_smiles));
  if (review) more.push(" ", say("small", `by ${review.reviewer}`));
  verdict.replaceChildren(verdict.querySelector("b"), ...more);
  for (const button of place.querySelectorAll("[data-say]")) {
    if (button.dataset.say === "back") button.hidden = !review;
    else button.setAttribute("aria-pressed", String(button.dataset.say === review?.verdict));
  }
  renewBody();
}

function refuse(result, error) {
  const line = placeOf(result)?.querySelector(".refused");
  if (line) line.textContent = error.name === "TimeoutError" ? "The page does not answer." : error.message;
}

/** Sends the change; where a token is asked for a dialog asks for it and sends it again. Resolves with null where that is left. */
async function send(path, options) {
  try {
    return await sendChange(path, options);
  } catch (error) {
    if (!error.needsToken) throw error;
  }
  const dialog = find("proof-dialog");
  return new Promise((resolve) => {
    let answer = null;
    askFor(dialog, "A review is kept with the name that the token stands for.", async (fields, token) => {
      answer = await sendChange(path, { ...options, token });
    });
    dialog.querySelector(".token").hidden = false;
    dialog.querySelector(".token input").focus();
    dialog.addEventListener("close", () => resolve(answer), { once: true });
  });
}

function asked(result, verdict, corrected) {
  const [chunk, number] = result.dataset.result.split("/").map(Number);
  const before = placeOf(result).dataset.review;
  const review = { chunk, number, smiles: smilesOf(result), verdict, replaces: before === "" ? null : Number(before) };
  if (corrected !== undefined) review.corrected_smiles = corrected;
  return { body: { reviews: [review] } };
}

function done(key, review) {
  writeOwn([...readOwn(), { key, number: review.number }]);
  const result = resultAt(key); // as the page has it by now
  if (result) show(result, review);
}

/** Shows what others said meanwhile. */
async function lookAgain() {
  renewBody();
  await refreshNow();
}

/** Runs the task unless one for this result is on its way; what is refused stands beside the result. */
async function once(key, task) {
  if (sending.has(key)) return;
  sending.add(key);
  try {
    await task();
  } catch (error) {
    await lookAgain();
    const result = resultAt(key);
    if (result) refuse(result, error);
  } finally {
    sending.delete(key);
  }
}

function say(result, verdict) {
  const key = result.dataset.result;
  refuse(result, { message: "" });
  void once(key, async () => {
    const answer = await send("api/reviews", asked(result, verdict));
    if (answer === null) return;
    done(key, answer.reviews[0]);
    moveOn(key);
  });
}

function moveOn(key) {
  const result = resultAt(key), active = resultOf(document.activeElement);
  if (active && active !== result) return; // the reader has gone elsewhere
  result?.querySelector("a, button")?.focus({ preventScroll: true });
  moveResult(1);
}

function correct(result) {
  const key = result.dataset.result, dialog = find("correct-dialog"), form = dialog.querySelector("form");
  const figure = dialog.querySelector("[data-structure]"), input = form.elements.smiles;
  const picture = dialog.querySelector(".picture"), original = result.querySelector("[data-picture] img");
  picture.hidden = !original;
  picture.replaceChildren(...(original ? [original.cloneNode()] : []));
  const byHand = dialog.querySelector("[data-draw]"), place = dialog.querySelector(".by-hand");
  closeEditor(place);
  byHand.hidden = false;
  byHand.onclick = () => void openEditor(place, figure, input).then(
    () => { byHand.hidden = true; },
    () => { dialog.querySelector(".refused").textContent = "The editor cannot be loaded: type the SMILES."; },
  );
  dialog.addEventListener("close", () => closeEditor(place), { once: true });
  let waiting = null;
  const draw = () => { if (input.value.trim()) drawStructure(figure, input.value.trim()); };
  input.value = placeOf(result).querySelector(".verdict.corrected bdi")?.textContent ?? smilesOf(result);
  input.oninput = () => { clearTimeout(waiting); waiting = setTimeout(draw, DRAW_MS); };
  askFor(dialog, "What is in the picture, as a SMILES, which is drawn while you type, or drawn by hand.", async (fields, token) => {
    const change = asked(resultAt(key) ?? result, "corrected", String(fields.get("smiles")).trim());
    try {
      const answer = await sendChange("api/reviews", { ...change, token });
      done(key, answer.reviews[0]);
    } catch (error) {
      void lookAgain();
      throw error;
    }
    dialog.addEventListener("close", () => moveOn(key), { once: true });
  });
  draw();
}

async function takeBack(key, number) {
  const answer = await send(`api/reviews/${number}`, { method: "DELETE" });
  if (answer === null) return;
  writeOwn(readOwn().filter((one) => one.number !== number));
  const result = resultAt(key);
  if (result) {
    show(result, answer.review);
    result.querySelector("a, button")?.focus({ preventScroll: true });
    result.scrollIntoView({ block: "nearest" });
  } else if (document.querySelector(".steps")) {
    location.assign(`${document.body.dataset.root}fleet/results/${key}${location.search}`);
  } else {
    await lookAgain(); // it is on another page of the list
  }
}

/** By key: a verdict on the result at hand. False where nothing is reviewed. */
export function sayChosen(verdict) {
  if (!mayReview()) return false;
  const result = chosen();
  if (result === null) return moveResult(1);
  if (!placeOf(result)) return moveResult(1); // it cannot be reviewed: not to be stuck there
  if (verdict === "corrected") correct(result);
  else say(result, verdict);
  return true;
}

/** By key: takes back the last review given in this tab, wherever it was. */
export function takeLastBack() {
  if (!mayReview()) return false;
  const last = readOwn().at(-1);
  if (last) void once(last.key, () => takeBack(last.key, last.number));
  return true;
}

export function startReviews() {
  document.getElementById("body").addEventListener("click", (event) => {
    const button = event.target.closest("[data-say]"), result = resultOf(button);
    if (!result) return;
    const act = button.dataset.say, { review } = placeOf(result).dataset, key = result.dataset.result;
    if (act === "back") void once(key, () => takeBack(key, Number(review)));
    else if (act === "corrected") correct(result);
    else say(result, act);
  });
}
