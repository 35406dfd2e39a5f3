/** The small plots of detail pages: the last day, a few requests for all of them. */

import { serverNow } from "./clock.js";
import { svgElement } from "./dom.js";
import { tracePath } from "./picture.js";
import { rangeFromZero } from "./chart.js";
import { fetchSeries } from "./series.js";

const DAY_S = 86400;
const WIDTH = 240, HEIGHT = 48;
const POINTS = 240;
const AT_ONCE = 20; // targets of one request

const EVERY_S = 300; // a day's plot does not change more within a pixel
let drawnAt_s = 0;
let firstDrawn; // another one after the body was replaced

/** Draws the small plots, where they are not drawn yet or have grown old. */
export async function drawSparks() {
  const figures = [...document.querySelectorAll("#body [data-spark]")];
  const until_s = serverNow();
  if (figures[0] === firstDrawn && until_s - drawnAt_s < EVERY_S) return;
  [firstDrawn, drawnAt_s] = [figures[0], until_s];
  for (let first = 0; first < figures.length; first += AT_ONCE) {
    const some = figures.slice(first, first + AT_ONCE);
    try {
      const { series } = await fetchSeries(some.map((one) => one.dataset.spark), until_s - DAY_S, until_s, undefined, POINTS);
      for (const one of some) {
        const found = series.find((each) => each.target === one.dataset.spark);
        if (found) drawSpark(one.querySelector("svg"), found, until_s);
      }
    } catch {
      return; // the figures themselves are on the page; the next refresh tries again
    }
  }
}

function drawSpark(svg, { timestamps, values }, until_s) {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) { svg.replaceChildren(); return; }
  const [low, high] = rangeFromZero(Math.min(...known), Math.max(...known));
  const xOf = (at) => ((at - until_s + DAY_S) / DAY_S) * WIDTH;
  const yOf = (value) => HEIGHT - 2 - ((value - low) / (high - low)) * (HEIGHT - 4);
  const line = tracePath(timestamps, values, xOf, yOf);
  const area = line.split("M").slice(1).map((piece) => {
    const xs = piece.match(/-?[\d.]+(?= )/g);
    return `M${xs[0]} ${HEIGHT}L${piece.replace("h0.01", "")}L${xs[xs.length - 1]} ${HEIGHT}Z`;
  }).join("");
  svg.replaceChildren(svgElement("path", { class: "area", d: area }), svgElement("path", { d: line }));
}
