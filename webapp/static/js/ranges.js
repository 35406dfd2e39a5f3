/** Times as people type them ("-3h", "now", "2026-11-22 10:00", epoch seconds) and the ranges offered ready-made. */

const UNIT_S = {
  s: 1, sec: 1, second: 1,
  m: 60, min: 60, minute: 60,
  h: 3600, hour: 3600,
  d: 86400, day: 86400,
  w: 604800, week: 604800,
  mon: 30 * 86400, month: 30 * 86400,
  y: 365 * 86400, year: 365 * 86400,
};

export const QUICK_RANGES = [
  ["Recent", ["-5min", "-15min", "-30min", "-1h", "-3h", "-6h", "-12h", "-24h"].map((from) => [from, "now"])],
  ["Longer", ["-2d", "-7d", "-30d", "-60d", "-90d", "-6mon", "-1y", "-2y", "-5y"].map((from) => [from, "now"])],
  ["Earlier", [
    ["-2d", "-1d"], ["-3d", "-2d"], ["-8d", "-7d"], ["-14d", "-7d"], ["-2mon", "-1mon"], ["-2y", "-1y"],
  ]],
];

const NAMED = {
  "-24h": "Last 24 hours", "-2d|-1d": "Yesterday", "-3d|-2d": "Day before yesterday",
  "-8d|-7d": "This day last week", "-14d|-7d": "Previous week", "-2mon|-1mon": "Previous month",
  "-2y|-1y": "Previous year",
};
const UNIT_NAMES = { min: "minute", h: "hour", d: "day", mon: "month", y: "year" };

/** What a range is called in the menu: "Last 3 hours", "Yesterday". */
export function describeRange(from, until) {
  const named = NAMED[until === "now" ? from : `${from}|${until}`];
  if (named) return named;
  const match = /^-(\d+)([a-z]+)$/.exec(from);
  if (!match || until !== "now" || !UNIT_NAMES[match[2]]) return `${from} to ${until}`;
  const count = Number(match[1]);
  return count === 1 ? `Last ${UNIT_NAMES[match[2]]}` : `Last ${count} ${UNIT_NAMES[match[2]]}s`;
}

/** Epoch seconds of a time someone typed, or null where it is none. `now_s` is the reference for relative times. */
export function parseTime(text, now_s) {
  const typed = text.trim();
  if (typed === "" || typed === "now") return typed === "now" ? now_s : null;
  const relative = /^-\s*(\d+)\s*([a-z]+?)s?$/i.exec(typed);
  if (relative) {
    const word = relative[2].toLowerCase();
    const unit_s = UNIT_S[word] ?? UNIT_S[`${word}s`];
    return unit_s ? now_s - Number(relative[1]) * unit_s : null;
  }
  if (/^\d{9,11}$/.test(typed)) return Number(typed);
  const date = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?(Z)?)?$/.exec(typed);
  if (!date) return null;
  const [year, month, day, hour, minute, second] = date.slice(1, 7).map((part) => Number(part ?? 0));
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return null;
  const ms = date[7]
    ? Date.UTC(year, month - 1, day, hour, minute, second)
    : new Date(year, month - 1, day, hour, minute, second).getTime();
  return Math.floor(ms / 1000);
}

/** Whether the range ends at the present and so moves with it. */
export function isOpen(until) {
  return until.trim() === "now";
}

const two = (number) => String(number).padStart(2, "0");

/** A fixed time in the browser's zone, as parseTime reads it back. */
export function formatTime(epoch_s) {
  const at = new Date(epoch_s * 1000);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return at.getSeconds() ? `${day} ${time}:${two(at.getSeconds())}` : `${day} ${time}`;
}

/** How old something is, in one or two short words: "23 s", "4 min", "2 h 10 min", "3 d". */
export function formatAge(age_s) {
  const age = Math.max(0, Math.round(age_s));
  if (age < 120) return `${age} s`;
  if (age < 7200) return `${Math.floor(age / 60)} min`;
  if (age < 172800) return `${Math.floor(age / 3600)} h ${Math.floor((age % 3600) / 60)} min`;
  return `${Math.floor(age / 86400)} d`;
}
