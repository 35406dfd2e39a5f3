/** Numbers as the page writes them. */

// From, divisor, suffix: ten thousand and more are written in thousands.
const SCALES = [[1e9, 1e9, " G"], [1e6, 1e6, " M"], [1e4, 1e3, " k"]];

/** At most four figures: "12", "3.14", "45.6 k"; "–" where there is none. */
export function formatNumber(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  for (const [from, divisor, suffix] of SCALES) {
    if (Math.abs(value) >= from) return round(value / divisor) + suffix;
  }
  return round(value);
}

function round(value) {
  const size = Math.abs(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)));
}

/** A number with its unit, as a legend shows it. */
export function formatValue(value, unit) {
  const text = formatNumber(value);
  return text === "–" || !unit ? text : `${text} ${unit}`;
}
