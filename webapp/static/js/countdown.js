/** What is counted down on a page: elements with `data-until` (epoch seconds) say each second how long it is. */

import { serverNow } from "./clock.js";

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** "in 1 h 2 min", "in 3 min 20 s", "12 s ago": the two largest units. */
export function describeLeft(left_s) {
  const whole = Math.floor(Math.abs(left_s));
  const first = Math.max(0, UNITS.findIndex(([, size]) => whole >= size));
  const begin = whole < 1 ? UNITS.length - 1 : first;
  const parts = [];
  let rest = whole;
  for (const [name, size] of UNITS.slice(begin, begin + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count || parts.length === 0) parts.push(`${count} ${name}`);
  }
  return left_s < 0 ? `${parts.join(" ")} ago` : `in ${parts.join(" ")}`;
}

export function showCountdowns() {
  const now_s = serverNow();
  for (const place of document.querySelectorAll("[data-until]")) {
    const left_s = Number(place.dataset.until) - now_s;
    const text = describeLeft(left_s);
    if (place.textContent !== text) place.textContent = text;
    place.classList.toggle("w", left_s < 0);
  }
}

export function startCountdowns() {
  showCountdowns();
  setInterval(showCountdowns, 1000);
}
