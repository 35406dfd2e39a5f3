/** From a place on the page to the metric path behind it. */

/** The heading of a cell's column. */
export function headingOf(cell) {
  const rows = cell.closest("table").tHead?.rows;
  return rows?.[rows.length - 1].cells[cell.cellIndex];
}

/**
 * The paths of a value: written on it (by blanks where there are several), or put together from where it stands. A column's `data-m` is the rest of the
 * path, with `$` for the row's name and `|` between several; tables and rows carry what is above it as `data-at`.
 */
export function pathsOf(place) {
  const written = place.dataset.path ?? place.dataset.spark ?? place.querySelector?.("[data-path]")?.dataset.path;
  if (written) return written.split(" ");
  if (place.tagName !== "TD" || place.textContent === "") return [];
  const metrics = headingOf(place)?.dataset.m;
  if (!metrics) return [];
  const row = place.parentElement;
  const at = row.dataset.at ?? row.closest("table").dataset.at;
  const cloud = row.parentElement.dataset.cloud;
  const above = cloud ? `${at}.clouds.${cloud}` : at;
  return metrics.split("|").map((metric) => `${above}.${metric.replace("$", () => row.dataset.t)}`);
}
