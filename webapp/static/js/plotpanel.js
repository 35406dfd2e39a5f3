/** The plot panel: what it shows follows from the state in the address; every control changes that state. */

import { drawChart, loadPlotter, traceColour } from "./chart.js";
import { showControls, wireControls } from "./plotcontrols.js";
import { Legend } from "./legend.js";
import { fetchMarks, placeMarks, showMarks, startMarks } from "./marks.js";
import { onColours } from "./look.js";
import { compareDays, EMPTY, readState, toggleTargets, writeState } from "./plotstate.js";
import { formatTime, isOpen, parseTime, shiftDays } from "./ranges.js";
import { fetchSeries } from "./series.js";
import { serverNow } from "./clock.js";

const panel = document.getElementById("plot");
const stays = panel?.dataset.stays !== undefined; // the page is the plot: no traces still shows the panel
let state = EMPTY;
let shown = null; // { drawn, chart, from_s, until_s, step_s, incomplete } of the last answer
let asking = null; // AbortController of the request under way
let retry = null;
const colours = new Map(); // target -> place in the palette
const listeners = [];

/** Calls `listener` with the state after every change of it. */
export function onPlotState(listener) {
  listeners.push(listener);
}

export function plotState() {
  return state;
}

/** What is on the screen: traces with their values and the range, or null. */
export function shownPlot() {
  return shown;
}

/** Takes a new state, writes it into the address (as a new entry where `push`) and shows it. */
export function changePlot(changes, { push = false } = {}) {
  state = { ...state, ...changes };
  const address = location.pathname + writeState(state, location.search) + location.hash;
  if (push) history.pushState({ plot: true }, "", address);
  else history.replaceState(history.state, "", address);
  applyState();
}

export function togglePlot(targets) {
  changePlot(toggleTargets(state, targets));
}

/** Takes all traces out, and so closes the panel; false where there is nothing to close. */
export function closePlot() {
  if (stays || state.targets.length === 0) return false;
  changePlot(EMPTY);
  return true;
}

/** Widens the range threefold around its middle, or to where it was before the last zoom. */
export function zoomOut() {
  if (state.targets.length === 0) return;
  if (history.state?.zoomed) { history.back(); return; }
  const now_s = serverNow();
  const from_s = parseTime(state.from, now_s), until_s = parseTime(state.until, now_s);
  if (from_s === null || until_s === null) return;
  const span_s = until_s - from_s;
  const until = Math.min(now_s, until_s + span_s);
  changePlot({ from: String(Math.floor(from_s - span_s)), until: until >= now_s - 60 ? "now" : String(Math.floor(until)) });
}

function zoomInto(from_s, until_s) {
  const least_s = 120, middle_s = (from_s + until_s) / 2, half_s = Math.max(until_s - from_s, least_s) / 2;
  const range = { from: String(Math.floor(middle_s - half_s)), until: String(Math.ceil(middle_s + half_s)) };
  state = { ...state, ...range };
  history.pushState({ zoomed: true }, "", location.pathname + writeState(state, location.search) + location.hash);
  applyState();
}

function applyState() {
  for (const listener of listeners) listener(state);
  showControls(state);
  const open = stays || state.targets.length > 0;
  panel.hidden = !open;
  document.documentElement.toggleAttribute("data-plot", open);
  if (state.targets.length) void load();
  else forget();
}

function forget() {
  asking?.abort();
  clearTimeout(retry);
  shown?.chart?.plot.destroy();
  shown = null;
  showMarks(null, []);
  legend.show([]);
  showMessage(stays ? "Add a trace by its path, or click a value on any other page." : "");
}

function showMessage(text, isError = false) {
  const line = document.getElementById("plot-status");
  line.textContent = text;
  line.classList.toggle("error", isError);
}

async function load() {
  const now_s = serverNow();
  const from_s = parseTime(state.from, now_s), until_s = parseTime(state.until, now_s);
  if (from_s === null || until_s === null || from_s >= until_s) {
    showMessage("The range is not understood: From must lie before Until, as in -3h, now or 2026-01-31 08:00.", true);
    return;
  }
  asking?.abort();
  clearTimeout(retry);
  asking = new AbortController();
  const { signal } = asking;
  panel.setAttribute("aria-busy", "true");
  try {
    const days = compareDays(state.compare);
    const [uPlot, answer, earlier, marks] = await Promise.all([
      loadPlotter(),
      fetchSeries(state.targets, from_s, until_s, signal),
      days ? fetchSeries(state.targets, shiftDays(from_s, -days), shiftDays(until_s, -days), signal) : null,
      fetchMarks(state.targets, from_s, until_s, signal),
    ]);
    if (signal.aborted) return;
    assignColours(state.targets);
    const drawn = [...traces(answer.series), ...traces(earlier?.series ?? [], days)];
    draw(uPlot, drawn, { from_s, until_s, step_s: answer.step_s, incomplete: answer.incomplete, marks });
  } catch (error) {
    if (error.name === "AbortError") return;
    showMessage(error.message, true);
    if (error.retryAfter_s) retry = setTimeout(load, error.retryAfter_s * 1000);
  } finally {
    if (!signal.aborted) panel.removeAttribute("aria-busy");
  }
}

/** Gives each trace a colour that it keeps while others come and go. */
function assignColours(targets) {
  for (const target of colours.keys()) if (!targets.includes(target)) colours.delete(target);
  for (const target of targets) {
    if (colours.has(target)) continue;
    const taken = new Set(colours.values());
    colours.set(target, [...taken, -1].map((index) => index + 1).sort((a, b) => a - b).find((index) => !taken.has(index)));
  }
}

/** Series as traces; of a comparison the times are moved onto the range shown. */
function traces(series, days = 0) {
  return series.map((one) => {
    const index = colours.get(one.target) ?? 0;
    return {
      target: one.target, unit: one.unit, meaning: one.meaning, notes: one.notes, dashed: days > 0,
      label: one.label + (days ? ` (${days} d earlier)` : ""),
      colour: traceColour(index), colourIndex: index, values: one.values,
      timestamps: days ? one.timestamps.map((at) => shiftDays(at, days)) : one.timestamps,
    };
  });
}

function draw(uPlot, drawn, { from_s, until_s, step_s, incomplete, marks }) {
  const place = document.getElementById("plot-chart");
  shown?.chart?.plot.destroy();
  const chart = drawChart(uPlot, place, drawn, {
    from_s, until_s, incomplete, onZoom: zoomInto, onDrawn: placeMarks,
    onMove: (index) => legend.point(index === null ? null : chart.data[0][index], chart.data, index),
  });
  shown = { uPlot, drawn, marks, chart, from_s, until_s, step_s, incomplete };
  legend.show(drawn, incomplete);
  showMarks(chart.plot, marks);
  const points = chart.data[0].length;
  const known = drawn.some((one) => one.values.some((value) => value !== null));
  showMessage(known
    ? `${formatTime(from_s)} to ${formatTime(until_s)}, one value per ${step_s} s, ${points} points`
    : "No values in this range.", false);
}

const legend = new Legend(document.getElementById("plot-legend"), {
  onRemove: (target) => togglePlot([target]),
  onFocus: (index) => shown?.chart?.plot.setSeries(index === null ? null : index + 1, { focus: true }),
});

function redraw() {
  if (!shown) return;
  const { uPlot, drawn } = shown;
  draw(uPlot, drawn.map((one) => ({ ...one, colour: traceColour(one.colourIndex) })), shown);
}

/** Brings the newest values into a plot that ends now and is to follow. */
export function followPlot() {
  if (state.live && isOpen(state.until) && state.targets.length) void load();
}

export function startPlot() {
  wireControls({ change: changePlot, state: plotState, shown: shownPlot, zoomOut, close: closePlot, showMessage });
  startMarks(() => { if (state.targets.length) void load(); });
  onColours(redraw);
  addEventListener("popstate", () => { state = readState(location.search); applyState(); });
  new ResizeObserver(() => {
    const place = document.getElementById("plot-chart");
    if (shown && place.clientWidth > 0) {
      shown.chart.plot.setSize({ width: Math.max(240, place.clientWidth), height: Math.max(140, place.clientHeight) });
    }
  }).observe(document.getElementById("plot-chart"));
  state = readState(location.search);
  if (state.targets.length === 0) state = stateOfPage();
  applyState();
}

/** What a page about something shows of it where the address names no trace. */
function stateOfPage() {
  const { plotTargets, plotFrom } = document.querySelector("#body [data-plot-targets]")?.dataset ?? {};
  return plotTargets ? { ...EMPTY, targets: plotTargets.split(" "), from: plotFrom } : EMPTY;
}
