/** The legend: a line for each trace with its unit, the value now or under the pointer, and its extremes. */

import { element, svgElement } from "./dom.js";
import { formatNumber } from "./numbers.js";
import { formatTime } from "./ranges.js";
import { summarise } from "./series.js";

export class Legend {
  constructor(place, { onRemove, onFocus }) {
    this.place = place;
    this.onRemove = onRemove;
    this.onFocus = onFocus;
    this.nows = [];
  }

  /** A line for each trace of `drawn`. */
  show(drawn) {
    this.nows = [];
    const lines = drawn.map((one, index) => this.makeLine(one, index));
    this.place?.replaceChildren(...lines);
    this.point(null);
  }

  makeLine(one, index) {
    const figures = summarise(one.values);
    const now = element("td", {}, formatNumber(figures.current));
    this.nows.push({ now, current: figures.current });
    const remove = element("button", {
      type: "button", "aria-label": `Remove ${one.label}`, click: () => this.onRemove(one.target),
    }, "×");
    return element("tr", {
      title: `${one.target}\n${one.meaning}`, mouseenter: () => this.onFocus(index), mouseleave: () => this.onFocus(null),
    },
    element("th", { scope: "row" }, swatch(one), element("span", {}, one.label, " ", element("small", {}, one.unit))),
    now, ...[figures.min, figures.max, figures.mean].map((value) => element("td", {}, formatNumber(value))),
    element("td", {}, one.dashed ? null : remove));
  }

  /** Shows the values at one time (those of `columns` at `index`), or the current ones again. */
  point(at_s, columns, index) {
    const heading = document.getElementById("legend-at");
    if (heading) heading.textContent = at_s === null ? "Now" : formatTime(at_s).slice(-5);
    this.nows.forEach(({ now, current }, line) => {
      now.textContent = formatNumber(at_s === null ? current : columns[line + 1][index]);
    });
  }
}

function swatch({ colour, dashed }) {
  return svgElement("svg", { class: "swatch", viewBox: "0 0 14 4", "aria-hidden": "true" },
    svgElement("path", { d: "M0 2h14", stroke: colour, "stroke-dasharray": dashed ? "4 3" : "none" }));
}
