/** Pictures of results that are not there: why, in the server's words, in place of a broken image. */

import { element } from "./dom.js";

const AGAIN_MS = 1500; // after an answer that the server was too busy
const WORDS_MAX = 200;

const ask = (source) => fetch(source, { cache: "no-cache" }).catch(() => null);

async function explain(image) {
  const plate = image.closest("[data-picture]");
  if (!plate) return;
  plate.classList.add("missed");
  plate.replaceChildren(element("p", {}, "no picture"));
  if (image.dataset.again) return; // it came, and cannot be shown
  let answer = await ask(image.src);
  if (answer?.status === 503) {
    await new Promise((done) => setTimeout(done, AGAIN_MS));
    answer = await ask(image.src);
  }
  if (answer?.ok) {
    image.dataset.again = "1";
    plate.classList.remove("missed");
    plate.replaceChildren(image);
    image.src = image.getAttribute("src");
  } else if (answer) {
    const words = (await answer.text()).trim().replace(/^\d+ /, "");
    plate.replaceChildren(element("p", {}, words.slice(0, WORDS_MAX)));
  }
}

export function startPictures() {
  document.addEventListener("error", ({ target }) => {
    if (target instanceof HTMLImageElement) void explain(target);
  }, true);
  for (const image of document.querySelectorAll("[data-picture] img")) {
    if (image.complete && image.naturalWidth === 0) void explain(image); // it failed before this script ran
  }
}
