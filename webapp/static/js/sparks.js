/** The small plots of detail pages: the last day, a few requests for all of them. */

import { serverNow } from "./clock.js";
import { svgElement } from "./dom.js";
import { tracePath } from "./picture.js";
import { rangeFromZero } from "./chart.js";
import { targetsMax } from "./plotstate.js";
import { fetchSeries } from "./series.js";

const DAY_S = 86400;
const WIDTH = 240, HEIGHT = 48;
const POINTS = 240;
const EVERY_S = 300; // a day's plot does not change more within a pixel
let drawnAt_s = 0;
let firstDrawn; // another one after the body was replaced

/** Draws the small plots, where they are not drawn yet or have grown old. */
export async function drawSparks() {
  const figures = [...document.querySelectorAll("#body [data-spark]")];
  const until_s = serverNow();
  if (figures[0] === firstDrawn && until_s - drawnAt_s < EVERY_S) return;
  [firstDrawn, drawnAt_s] = [figures[0], until_s];
  for (const some of portions(figures)) {
    try {
      const targets = [...new Set(some.flatMap(targetsOf))];
      const { series } = await fetchSeries(targets, until_s - DAY_S, until_s, undefined, POINTS);
      for (const one of some) {
        const found = targetsOf(one).map((target) => series.find((each) => each.target === target)).filter(Boolean);
        if (found.length) drawSpark(one.querySelector("svg"), found, until_s);
      }
    } catch {
      return; // the figures themselves are on the page; the next refresh tries again
    }
  }
}

const targetsOf = (figure) => figure.dataset.spark.split(" ");

/** Small plots by as many as one request has targets for. */
function portions(figures) {
  const found = [];
  let left = 0;
  for (const figure of figures) {
    const count = targetsOf(figure).length;
    if (count > left) { found.push([]); left = targetsMax(); }
    found[found.length - 1].push(figure);
    left -= count;
  }
  return found;
}

/** One series with the area below it, or several on one scale in the colours of a plot's traces. */
function drawSpark(svg, series, until_s) {
  const known = series.flatMap(({ values }) => values.filter((value) => value !== null));
  if (known.length === 0) { svg.replaceChildren(); return; }
  const [low, high] = rangeFromZero(Math.min(...known), Math.max(...known));
  const xOf = (at) => ((at - until_s + DAY_S) / DAY_S) * WIDTH;
  const yOf = (value) => HEIGHT - 2 - ((value - low) / (high - low)) * (HEIGHT - 4);
  const lines = series.map(({ timestamps, values }) => tracePath(timestamps, values, xOf, yOf));
  if (lines.length > 1) {
    svg.replaceChildren(...lines.map((d, index) => svgElement("path", { class: `trace-${index % 10}`, d })));
    return;
  }
  const [line] = lines;
  const area = line.split("M").slice(1).map((piece) => {
    const xs = piece.match(/-?[\d.]+(?= )/g);
    return `M${xs[0]} ${HEIGHT}L${piece.replace("h0.01", "")}L${xs[xs.length - 1]} ${HEIGHT}Z`;
  }).join("");
  svg.replaceChildren(svgElement("path", { class: "area", d: area }), svgElement("path", { d: line }));
}
