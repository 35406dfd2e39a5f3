/** What a plot shows, as a plain value, and its way into the address and back (inverse of each other). */

export const EMPTY = Object.freeze({ targets: [], from: "-1h", until: "now", compare: "", live: true });
const READABLE_MAX = 20; // traces: with more no line can be told from another
export const COMPARISONS = [
  ["", "No comparison", 0],
  ["1d", "Same time yesterday", 1],
  ["7d", "Same time last week", 7],
];
/** Traces of one plot or request: no more than the server takes (WEBAPP_SERIES_MAX). */
export const targetsMax = () => Math.min(READABLE_MAX, Number(document.body.dataset.seriesMax));
const OWN = ["target", "from", "until", "compare", "live"];

/** How many days earlier the comparison is. */
export function compareDays(compare) {
  return COMPARISONS.find(([key]) => key === compare)?.[2] ?? 0;
}

/** The plot described by an address's query; unknown or repeated parts are left out. */
export function readState(search) {
  const query = new URLSearchParams(search);
  const targets = [...new Set(query.getAll("target"))].filter(Boolean).slice(0, targetsMax());
  const compare = query.get("compare") ?? "";
  return {
    targets,
    from: query.get("from") || EMPTY.from,
    until: query.get("until") || EMPTY.until,
    compare: compareDays(compare) ? compare : "",
    live: query.get("live") !== "0",
  };
}

/** `search` with the plot's part of it replaced by `state`: nothing without traces, and what is as usual left out. */
export function writeState(state, search = "") {
  const query = new URLSearchParams(search);
  for (const name of OWN) query.delete(name);
  if (state.targets.length) {
    for (const target of state.targets) query.append("target", target);
    query.set("from", state.from);
    query.set("until", state.until);
    if (state.compare) query.set("compare", state.compare);
    if (!state.live) query.set("live", "0");
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** The state with these targets added, or taken away where all of them are there already. */
export function toggleTargets(state, targets) {
  const shown = targets.every((target) => state.targets.includes(target));
  const others = state.targets.filter((target) => !targets.includes(target));
  return { ...state, targets: shown ? others : [...others, ...targets].slice(0, targetsMax()) };
}
