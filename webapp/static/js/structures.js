/**
 * Structures drawn from SMILES where `data-structure` is, those in sight alone, by a worker that is ended when one takes
 * too long. What is drawn is an image, in which nothing runs, whatever the SMILES was.
 */

import { element } from "./dom.js";

const LIMIT_MS = 5000; // for one structure; the usual ones take a tenth of a second
const START_LIMIT_MS = 300_000; // for the library, of a megabyte, over a slow network
const KEPT_MAX = 300; // drawings, so that a refresh of the page draws nothing anew
const NEAR = "250px"; // how far from sight drawing begins
const SIZES = { "": { width: 320, height: 240, bond: 26 }, large: { width: 640, height: 480, bond: 44 } };

const wanted = new Set(); // figures in sight that wait
const kept = new Map(); // by size and SMILES, the newest last
let drawer = "", groupLabel = ""; // the worker's address; the pattern of what stands for a group
let worker = null, isReady = false, task = null, timer = 0, broken = "";
let observer = null;

const smilesOf = (figure) => figure.dataset.smiles ?? figure.closest("[data-result]")?.querySelector("[data-smiles]")?.textContent ?? "";
const keyOf = (figure) => `${figure.dataset.structure} ${smilesOf(figure)}`;

function show(figure, { svg, formula, text, fault }) {
  figure.classList.toggle("undrawn", !svg);
  figure.dataset.state = svg ? "drawn" : "undrawn";
  figure.dataset.text = text ?? "";
  if (!svg) { figure.replaceChildren(element("p", {}, fault)); return; }
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  const image = element("img", { alt: "The structure of this SMILES", src: url, load: () => URL.revokeObjectURL(url) });
  figure.replaceChildren(image);
  if (formula && figure.dataset.structure === "large") figure.append(element("figcaption", {}, formula));
}

function keep(key, drawn) {
  kept.delete(key);
  kept.set(key, drawn);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
}

function start() {
  isReady = false;
  const own = worker = new Worker(drawer, { type: "module" });
  worker.addEventListener("message", ({ data }) => {
    if (worker !== own) return; // said before it was ended
    clearTimeout(timer);
    if (data.ready) isReady = true;
    else end(data);
    next();
  });
  worker.addEventListener("error", () => { if (worker === own) stop(isReady ? "cannot be drawn" : ""); });
  timer = setTimeout(() => stop(""), START_LIMIT_MS);
}

/** The task at hand has come to this; each figure that waits for the same gets it too. */
function end(drawn) {
  if (task === null) return;
  const { key } = task;
  task = null;
  keep(key, drawn);
  for (const figure of [...wanted]) {
    if (keyOf(figure) !== key) continue;
    wanted.delete(figure);
    show(figure, drawn);
  }
}

/** Ends the worker. With a `fault` that one structure is to blame; without one no structure can be drawn at all. */
function stop(fault) {
  clearTimeout(timer);
  worker?.terminate();
  worker = null;
  if (fault) end({ fault });
  else broken = "cannot be drawn in this browser";
  next();
}

/** The shortest first: what takes long by its length does not keep the others waiting. */
function next() {
  if (broken) {
    for (const figure of wanted) show(figure, { fault: broken });
    wanted.clear();
  }
  if (task !== null || wanted.size === 0) return;
  if (worker === null) { start(); return; }
  if (!isReady) return;
  const [figure] = [...wanted].sort((a, b) => smilesOf(a).length - smilesOf(b).length);
  task = { key: keyOf(figure) };
  worker.postMessage({ smiles: smilesOf(figure), groupLabel, ...SIZES[figure.dataset.structure] ?? SIZES[""] });
  timer = setTimeout(() => stop("takes too long to be drawn"), LIMIT_MS);
}

function want(figure) {
  const known = kept.get(keyOf(figure));
  if (known) { show(figure, known); return; }
  wanted.add(figure);
  next();
}

/** Draws into the figure, now: the SMILES given, or the one beside it. */
export function drawStructure(figure, smiles) {
  if (smiles !== undefined) figure.dataset.smiles = smiles;
  want(figure);
}

/** Takes stock of the places for structures in a new body. */
export function watchStructures() {
  observer?.disconnect();
  wanted.clear();
  ({ drawer = "", groupLabel = "" } = document.querySelector("[data-drawer]")?.dataset ?? {});
  if (!drawer) return;
  observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) wanted.delete(target);
      else if (!target.dataset.state) want(target);
    }
  }, { rootMargin: NEAR });
  for (const figure of document.querySelectorAll("[data-structure]")) observer.observe(figure);
}
