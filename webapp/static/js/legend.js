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

  /** A line for each trace of `drawn`, and one for the spans in which sums are incomplete. */
  show(drawn, incomplete = []) {
    this.nows = [];
    const lines = drawn.map((one, index) => this.makeLine(one, index));
    for (const text of describeIncomplete(incomplete)) {
      lines.push(element("tr", { class: "incomplete" }, element("th", { scope: "row", colspan: 6 }, hatch(), text)));
    }
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
    element("th", { scope: "row" }, swatch(one), element("span", {}, one.label, " ", element("small", {}, one.unit),
      ...rollups(one).map((note) => element("small", { class: "note" }, note)))),
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

/** What is said of a trace's values beside its name; what sums lacked has a line of its own. */
export const rollups = ({ notes = [] }) => notes.filter((note) => !note.startsWith("incomplete"));

/** Sentences on the spans, each once. */
export function describeIncomplete(incomplete) {
  const texts = [...new Set(incomplete.map((span) => span.text))];
  return texts.length > 3 ? [...texts.slice(0, 2), `and ${texts.length - 2} more such times`] : texts;
}

function hatch() {
  return svgElement("svg", { class: "swatch hatch", viewBox: "0 0 14 8", "aria-hidden": "true" },
    svgElement("path", { d: "M0 8L8 0M6 8L14 0" }));
}

function swatch({ colour, dashed }) {
  return svgElement("svg", { class: "swatch", viewBox: "0 0 14 4", "aria-hidden": "true" },
    svgElement("path", { d: "M0 2h14", stroke: colour, "stroke-dasharray": dashed ? "4 3" : "none" }));
}
