/** A plot as a file: SVG written from the values, PNG from what is on the screen with its legend. */

import { element, saveFile, svgElement } from "./dom.js";
import { readColour } from "./look.js";
import { formatNumber } from "./numbers.js";
import { rangeFromZero } from "./chart.js";
import { describeIncomplete, rollups } from "./legend.js";
import { describeMark, groupMarks } from "./marks.js";
import { formatTime } from "./ranges.js";
import { summarise } from "./series.js";

const WIDTH = 960, LEFT = 60, RIGHT = 60, TOP = 14, HEIGHT = 320, LINE = 20;
const MARKS_MAX = 12; // in words; all are drawn
const FONT = "12px system-ui, sans-serif";

const fileName = (shown, extension) => `plot-${formatTime(shown.from_s).replace(/[ :]/g, "-")}.${extension}`;

function describeTrace(one) {
  const { current, min, max, mean } = summarise(one.values);
  const figures = [["now", current], ["min", min], ["max", max], ["mean", mean]];
  const notes = rollups(one).map((note) => `   ${note}`).join("");
  return `${one.label}${one.unit ? ` (${one.unit})` : ""}   ${figures.map(([name, value]) => `${name} ${formatNumber(value)}`).join("   ")}${notes}`;
}

/** What happened, in words below the picture, by time. */
function linesOfMarks(marks) {
  const texts = [...marks].sort((a, b) => a.at - b.at).slice(0, MARKS_MAX).map(describeMark);
  if (marks.length > MARKS_MAX) texts.push(`and ${marks.length - MARKS_MAX} more`);
  return texts.map((text) => ({ colour: readColour("--text-3"), dashed: true, text }));
}

/** A line below the picture for each trace, for what sums lacked, and for what happened. */
const linesBelow = ({ drawn, incomplete = [], marks = [] }) => [
  ...drawn.map((one) => ({ colour: one.colour, dashed: one.dashed, text: describeTrace(one) })),
  ...describeIncomplete(incomplete).map((text) => ({ colour: readColour("--warn"), dashed: true, text: `hatched: ${text}` })),
  ...linesOfMarks(marks),
];

/** About five round values from 0 or below to the largest. */
function roundSteps(low, high) {
  const rough = (high - low) / 5, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((candidate) => candidate >= rough);
  const steps = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) steps.push(value);
  return steps;
}

/** A line with its gaps: "M" after each, "L" between neighbours. */
export function tracePath(timestamps, values, xOf, yOf) {
  let path = "", open = false;
  timestamps.forEach((at, index) => {
    const value = values[index];
    if (value === null || value === undefined) { open = false; return; }
    path += `${open ? "L" : "M"}${xOf(at).toFixed(1)} ${yOf(value).toFixed(1)}`;
    if (!open && (values[index + 1] ?? null) === null) path += "h0.01"; // a value on its own shows as a dot
    open = true;
  });
  return path;
}

/** The plot as one self-contained drawing. */
export function drawSvg(shown) {
  const { drawn, from_s, until_s, incomplete = [], marks = [] } = shown;
  const below = linesBelow(shown), height = HEIGHT + 34 + below.length * LINE + 10;
  const svg = svgElement("svg", {
    xmlns: "http://www.w3.org/2000/svg", width: WIDTH, height, viewBox: `0 0 ${WIDTH} ${height}`, "font-family": "system-ui, sans-serif", "font-size": 12,
  });
  const text = readColour("--text-2"), line = readColour("--line");
  svg.append(svgElement("rect", { width: WIDTH, height, fill: readColour("--raised") }));
  const xOf = (at) => LEFT + ((at - from_s) / (until_s - from_s)) * (WIDTH - LEFT - RIGHT);
  for (const { from, until } of incomplete) {
    const x = Math.max(LEFT, xOf(from)), width = Math.min(WIDTH - RIGHT, Math.max(xOf(until), x + 2)) - x;
    if (width > 0) svg.append(svgElement("rect", { x, width, y: TOP, height: HEIGHT - TOP, fill: readColour("--warn"), opacity: 0.2 }));
  }
  [...new Set(drawn.map((one) => one.unit))].forEach((unit, place) => {
    const traces = drawn.filter((one) => one.unit === unit);
    const known = traces.flatMap((one) => one.values).filter((value) => value !== null && value !== undefined);
    const [low, high] = rangeFromZero(known.length ? known.reduce((a, b) => Math.min(a, b)) : null, known.length ? known.reduce((a, b) => Math.max(a, b)) : null);
    const yOf = (value) => TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP);
    for (const value of roundSteps(low, high)) {
      if (place === 0) svg.append(svgElement("path", { d: `M${LEFT} ${yOf(value)}H${WIDTH - RIGHT}`, stroke: line }));
      const side = place === 0 ? { x: LEFT - 6, "text-anchor": "end" } : { x: WIDTH - RIGHT + 6 };
      if (place < 2) svg.append(svgElement("text", { ...side, y: yOf(value) + 4, fill: text }, formatNumber(value)));
    }
    for (const one of traces) {
      svg.append(svgElement("path", {
        d: tracePath(one.timestamps, one.values, xOf, yOf), fill: "none", stroke: one.colour, "stroke-width": 1.6,
        "stroke-linecap": "round", "stroke-linejoin": "round", "stroke-dasharray": one.dashed ? "5 4" : "none",
      }));
    }
  });
  for (const { x } of groupMarks(marks, (at) => xOf(Math.min(until_s, Math.max(from_s, at))))) {
    svg.append(svgElement("path", { class: "mark", d: `M${x.toFixed(1)} ${TOP}V${HEIGHT}`, stroke: readColour("--text-3"), "stroke-dasharray": "3 3" }));
  }
  for (let part = 0; part <= 4; part += 1) {
    const at = from_s + ((until_s - from_s) * part) / 4;
    svg.append(svgElement("text", { x: xOf(at), y: HEIGHT + 18, fill: text, "text-anchor": "middle" }, formatTime(Math.round(at / 60) * 60)));
  }
  below.forEach((one, index) => {
    const y = HEIGHT + 44 + index * LINE;
    svg.append(
      svgElement("path", { d: `M${LEFT} ${y - 4}h18`, stroke: one.colour, "stroke-width": 3, "stroke-dasharray": one.dashed ? "5 4" : "none" }),
      svgElement("text", { x: LEFT + 26, y, fill: readColour("--text") }, one.text),
    );
  });
  return svg;
}

export function saveSvg(shown) {
  const text = new XMLSerializer().serializeToString(drawSvg(shown));
  saveFile(fileName(shown, "svg"), new Blob([text], { type: "image/svg+xml" }));
}

/** Dashed lines where something happened, on a copy of the chart's canvas. */
function drawMarks(draw, { chart: { plot }, marks = [], from_s, until_s }, scale) {
  const { top, height } = plot.bbox, xOf = (at) => plot.valToPos(Math.min(until_s, Math.max(from_s, at)), "x", true);
  draw.save();
  draw.strokeStyle = readColour("--text-3");
  draw.lineWidth = scale;
  draw.setLineDash([3 * scale, 3 * scale]);
  for (const { x } of groupMarks(marks, (at) => xOf(at) / scale)) {
    draw.beginPath();
    draw.moveTo(x * scale, top);
    draw.lineTo(x * scale, top + height);
    draw.stroke();
  }
  draw.restore();
}

/** The chart as it is on the screen, with its lines below it. */
export async function savePng(shown) {
  const chart = shown.chart.plot.ctx.canvas;
  const scale = chart.width / shown.chart.plot.width, below = linesBelow(shown);
  const canvas = element("canvas", { width: chart.width, height: chart.height + Math.ceil((below.length * LINE + 12) * scale) });
  const draw = canvas.getContext("2d");
  draw.fillStyle = readColour("--raised");
  draw.fillRect(0, 0, canvas.width, canvas.height);
  draw.drawImage(chart, 0, 0);
  drawMarks(draw, shown, scale);
  draw.scale(scale, scale);
  draw.font = FONT;
  below.forEach((one, index) => {
    const y = chart.height / scale + 14 + index * LINE;
    draw.fillStyle = one.colour;
    draw.fillRect(12, y - 6, 18, 3);
    draw.fillStyle = readColour("--text");
    draw.fillText(one.text, 38, y);
  });
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  saveFile(fileName(shown, "png"), blob);
}
