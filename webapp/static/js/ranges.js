/** Times as people type them ("-3h", "now", "2026-11-22 10:00", epoch seconds) and the ranges offered ready-made. */

const UNIT_S = { // each also with an s behind it
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

const DAY = String.raw`(?<year>\d{4})(?<dash>-?)(?<month>\d\d)\k<dash>(?<day>\d\d)`;
const OFFSET = String.raw`(?<offset>Z|[+-]\d\d(?::?\d\d)?)?`;
const ISO = new RegExp(String.raw`^${DAY}(?:[T ](?<hour>\d\d?)(?::?(?<minute>\d\d)(?::?(?<second>\d\d)(?:\.\d{1,9})?)?)?${OFFSET})?$`);
const AT = new RegExp(String.raw`^(?<hour>\d\d?):(?<minute>\d\d)_${DAY}$`); // Graphite's own: 14:00_20261127
const EPOCH_MAX_S = 2 ** 32;

/**
 * Epoch seconds of a time someone typed, or null where it is none: the grammar of webapp/graphite/timerange.py.
 * `now_s` is the reference for relative times; a time without an offset is meant in the browser's zone.
 */
export function parseTime(text, now_s) {
  const typed = text.trim();
  if (typed === "now") return now_s;
  const found = relativeTime(typed, now_s) ?? (/^\d{9,10}$/.test(typed) ? Number(typed) : absoluteTime(typed));
  return found !== null && found >= 0 && found <= EPOCH_MAX_S ? found : null;
}

function relativeTime(typed, now_s) {
  const relative = /^(?:now)?\s*-\s*(\d{1,9})\s*([a-z]+?)s?$/i.exec(typed);
  const unit_s = relative && UNIT_S[relative[2].toLowerCase()];
  return unit_s ? now_s - Number(relative[1]) * unit_s : null;
}

function absoluteTime(typed) {
  const read = (ISO.exec(typed) ?? AT.exec(typed))?.groups;
  if (!read) return null;
  const [year, month, day, hour, minute, second] =
    ["year", "month", "day", "hour", "minute", "second"].map((part) => Number(read[part] ?? 0));
  if (month < 1 || month > 12 || day < 1 || day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  if (!read.offset) return new Date(year, month - 1, day, hour, minute, second).getTime() / 1000;
  const east_s = offsetOf(read.offset);
  return east_s === null ? null : Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - east_s;
}

function offsetOf(text) {
  if (text === "Z") return 0;
  const hours = Number(text.slice(1, 3)), minutes = text.length > 3 ? Number(text.slice(-2)) : 0;
  if (hours * 60 + minutes >= 1440) return null;
  return (text[0] === "-" ? -1 : 1) * (hours * 3600 + minutes * 60);
}

/** The same time of the clock on the wall some days later, also where clocks are changed between. */
export function shiftDays(epoch_s, days) {
  const at = new Date(epoch_s * 1000);
  at.setDate(at.getDate() + days);
  return at.getTime() / 1000;
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
