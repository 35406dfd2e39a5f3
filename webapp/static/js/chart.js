/** Draws series with uPlot: one axis per unit, gaps as gaps, the comparison dashed, dragging zooms. */

import { readColour } from "./look.js";
import { formatNumber } from "./numbers.js";
import { joinSeries } from "./series.js";

const COLOURS = 10;
let loading = null;

/** uPlot, loaded the first time a plot is opened: the status page itself does not need it. */
export function loadPlotter() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.body.dataset.plotter;
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => { loading = null; reject(new Error("The plotting script could not be loaded.")); };
    document.head.append(script);
  });
  return loading;
}

/** The colour of the n-th trace; a comparison has that of what it is compared with. */
export function traceColour(index) {
  return readColour(`--trace-${index % COLOURS}`);
}

// uPlot's form: least step in s, then the text of a tick, with the day below it where the day changes.
const DAY = "\n{YYYY}-{MM}-{DD}";
const TIMES = [
  [86400 * 365, "{YYYY}", null, null, null, null, null, null, 1],
  [86400 * 28, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [86400, "{MMM} {DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", DAY, null, DAY, null, null, null, 1],
];

const scaleOf = (unit) => `y:${unit}`;

function makeAxes(units) {
  const grid = { stroke: readColour("--line"), width: 1 };
  const text = { stroke: readColour("--text-2"), font: "11px system-ui, sans-serif", ticks: grid };
  const time = { ...text, grid, values: TIMES };
  const values = units.map((unit, index) => ({
    ...text, scale: scaleOf(unit), side: index === 0 ? 3 : 1, size: 58,
    grid: index === 0 ? grid : { show: false },
    label: unit || undefined, labelFont: "11px system-ui, sans-serif", labelSize: unit ? 18 : 0,
    values: (plot, splits) => splits.map((value) => (value === null ? "" : formatNumber(value))),
  }));
  return [time, ...values];
}

function makeScales(units, from_s, until_s) {
  const scales = { x: { time: true, range: () => [from_s, until_s] } };
  for (const unit of units) scales[scaleOf(unit)] = { range: (plot, min, max) => rangeFromZero(min, max) };
  return scales;
}

/** Values are counts and amounts: their axis starts at zero, and a flat zero still has a height. */
export function rangeFromZero(min, max) {
  if (min === null || max === null || min === undefined || max === undefined) return [0, 1];
  const low = Math.min(0, min), high = Math.max(0, max);
  const span = high - low || 1;
  return [low < 0 ? low - span * 0.06 : 0, high + span * 0.06];
}

function makeSeries(drawn) {
  return drawn.map((one) => ({
    label: one.label, scale: scaleOf(one.unit), stroke: one.colour, width: one.dashed ? 1.25 : 1.75,
    dash: one.dashed ? [5, 4] : undefined, spanGaps: false, alpha: one.dashed ? 0.75 : 1,
    points: {
      size: 5, fill: one.colour, show: () => false, filter: (plot, index) => findLoners(plot.data[index]),
    },
  }));
}

/** The places of values between two gaps: no line leads to them, so they are drawn as points. */
function findLoners(values) {
  const known = values.map((value, index) => (value === undefined ? -1 : index)).filter((index) => index >= 0);
  const loners = known.filter((place, index) => values[place] !== null
    && (values[known[index - 1]] ?? null) === null && (values[known[index + 1]] ?? null) === null);
  return loners.length ? loners : null;
}

const HATCH = 7; // CSS pixels from one line to the next

/** Hatches the spans (`from`, `until`) in which sums are incomplete, below the traces. */
function drawIncomplete(plot, incomplete) {
  if (incomplete.length === 0) return;
  const { ctx, bbox } = plot, step = HATCH * devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = readColour("--warn");
  ctx.lineWidth = devicePixelRatio;
  ctx.globalAlpha = 0.55;
  for (const { from, until } of incomplete) {
    const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
    const right = Math.min(bbox.left + bbox.width, Math.max(plot.valToPos(until, "x", true), left + 2 * devicePixelRatio));
    if (right <= left) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.beginPath();
    for (let at = left - bbox.height; at < right; at += step) {
      ctx.moveTo(at, bbox.top + bbox.height);
      ctx.lineTo(at + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

/**
 * A plot of `drawn` ({label, unit, colour, dashed, timestamps, values}) in `place`.
 * @param incomplete spans (`from`, `until`) that are hatched
 * @param onZoom called with the two epoch seconds that were dragged over
 * @param onMove called with the index in the joined data under the pointer, or null
 * @param onDrawn called whenever it has been drawn, also in another size
 */
export function drawChart(uPlot, place, drawn, { from_s, until_s, incomplete = [], onZoom, onMove, onDrawn }) {
  const units = [...new Set(drawn.map((one) => one.unit))];
  const data = joinSeries(drawn);
  const plot = new uPlot({
    width: Math.max(240, place.clientWidth), height: Math.max(140, place.clientHeight),
    padding: [12, units.length > 1 ? 0 : 14, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
    scales: makeScales(units, from_s, until_s),
    axes: makeAxes(units),
    series: [{}, ...makeSeries(drawn)],
    hooks: {
      drawClear: [(self) => drawIncomplete(self, incomplete)],
      setSelect: [(self) => {
        if (self.select.width < 6) return;
        const zoomed = [self.select.left, self.select.left + self.select.width].map((at) => self.posToVal(at, "x"));
        self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        onZoom(...zoomed);
      }],
      draw: [() => onDrawn()],
      setCursor: [(self) => onMove(self.cursor.left >= 0 ? self.cursor.idx : null)],
    },
  }, data, place);
  return { plot, data, units };
}
