/** The controls above a plot. They say what is wanted; the panel does it. */

import { savePng, saveSvg } from "./picture.js";
import { COMPARISONS } from "./plotstate.js";
import { describeRange, formatTime, isOpen, parseTime, QUICK_RANGES } from "./ranges.js";
import { element } from "./dom.js";
import { serverNow } from "./clock.js";

const find = (id) => document.getElementById(id);

function fillChoices() {
  const groups = QUICK_RANGES.map(([label, ranges]) => element("optgroup", { label },
    ...ranges.map(([from, until]) => element("option", { value: `${from}|${until}` }, describeRange(from, until)))));
  find("plot-quick").append(element("option", { value: "" }, "Range"), ...groups);
  find("plot-compare").append(...COMPARISONS.map(([value, label]) => element("option", { value }, label)));
}

/** A time as its field shows it: fixed times readable, others as they were typed. */
function showTime(text) {
  return /^\d{9,11}$/.test(text) ? formatTime(Number(text)) : text;
}

/** A time as the address keeps it: relative ones stay relative, fixed ones are the same in every time zone. */
function keepTime(typed) {
  const text = typed.trim();
  if (text === "now" || text.startsWith("-")) return text;
  const at_s = parseTime(text, serverNow());
  return at_s === null ? text : String(at_s);
}

function exportAddress(state, format) {
  const now_s = serverNow();
  const query = new URLSearchParams();
  for (const target of state.targets) query.append("target", target);
  query.set("from", state.from.startsWith("-") ? state.from : String(parseTime(state.from, now_s) ?? ""));
  query.set("until", isOpen(state.until) || state.until.startsWith("-") ? state.until : String(parseTime(state.until, now_s) ?? ""));
  query.set("format", format);
  query.set("tz", Intl.DateTimeFormat().resolvedOptions().timeZone);
  return `${document.body.dataset.root}export?${query}`;
}

/** Shows a state in the controls. */
export function showControls(state) {
  find("plot-from").value = showTime(state.from);
  find("plot-until").value = showTime(state.until);
  find("plot-quick").value = `${state.from}|${state.until}`;
  if (find("plot-quick").selectedIndex < 0) find("plot-quick").value = "";
  find("plot-compare").value = state.compare;
  find("plot-live").setAttribute("aria-pressed", String(state.live && isOpen(state.until)));
  find("plot-live").disabled = !isOpen(state.until);
  for (const format of ["csv", "tsv", "json"]) find(`plot-${format}`).href = exportAddress(state, format);
  const page = find("plot-page");
  if (page) page.href = page.pathname + location.search;
}

/** @param plot {change(changes, options), state(), shown(), zoomOut(), close(), showMessage(text)} */
export function wireControls(plot) {
  fillChoices();
  find("plot-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const added = find("plot-add")?.value.trim();
    if (added) {
      find("plot-add").value = "";
      plot.change({ targets: [...new Set([...plot.state().targets, added])] });
      return;
    }
    plot.change({ from: keepTime(find("plot-from").value), until: keepTime(find("plot-until").value) }, { push: true });
  });
  find("plot-quick").addEventListener("change", (event) => {
    const [from, until] = event.target.value.split("|");
    if (from) plot.change({ from, until }, { push: true });
  });
  find("plot-compare").addEventListener("change", (event) => plot.change({ compare: event.target.value }));
  find("plot-live").addEventListener("click", () => plot.change({ live: !plot.state().live }));
  find("plot-out").addEventListener("click", plot.zoomOut);
  find("plot-close")?.addEventListener("click", plot.close);
  find("plot-png").addEventListener("click", () => { if (plot.shown()) void savePng(plot.shown()); });
  find("plot-svg").addEventListener("click", () => { if (plot.shown()) saveSvg(plot.shown()); });
  find("plot-link").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      plot.showMessage("The address of this plot is in the clipboard.");
    } catch {
      plot.showMessage("The clipboard is closed to this page: copy the address from the address bar.");
    }
  });
}
