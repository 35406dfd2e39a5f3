/** From a place on the page to the metric path behind it, and from a path to words. */

/** The heading of a cell's column. */
export function headingOf(cell) {
  const rows = cell.closest("table").tHead?.rows;
  return rows?.[rows.length - 1].cells[cell.cellIndex];
}

/**
 * The paths of a value: written on it, or put together from where it stands. A column's `data-m` is the rest of the
 * path, with `$` for the row's name and `|` between several; tables and rows carry what is above it as `data-at`.
 */
export function pathsOf(place) {
  const written = place.dataset.path ?? place.dataset.spark ?? place.querySelector?.("[data-path]")?.dataset.path;
  if (written) return [written];
  if (place.tagName !== "TD" || place.textContent === "") return [];
  const metrics = headingOf(place)?.dataset.m;
  if (!metrics) return [];
  const row = place.parentElement;
  const at = row.dataset.at ?? row.closest("table").dataset.at;
  const cloud = row.parentElement.dataset.cloud;
  const above = cloud ? `${at}.clouds.${cloud}` : at;
  return metrics.split("|").map((metric) => `${above}.${metric.replace("$", () => row.dataset.t)}`);
}

const KINDS = { vms: "VMs", "api-vms": "VMs (cloud's count)", jobs: "jobs", slots: "slots", users: "jobs", groups: "jobs" };

/** A path as a legend names it: the grid and cloud it is about, then what it counts. */
export function labelOf(path) {
  const [, grid, ...rest] = path.split(".");
  const place = [grid === "*" ? "all grids" : grid];
  if (rest[0] === "clouds" || rest[0] === "hosts") {
    const [, name] = rest.splice(0, 2);
    place.push(name === "*" ? `all ${rest.length ? "clouds" : ""}`.trim() : name);
  }
  return `${place.join(" / ")}: ${describeRest(rest)}`;
}

function describeRest([kind, ...names]) {
  const named = names.map((name) => (name === "*" || name === "all" || name === "total" ? "all" : name));
  if (KINDS[kind] && named.length === 2) {
    const [type, status] = named;
    const what = `${status === "all" ? "" : status.replaceAll("_", " ")} ${KINDS[kind]}`.trim();
    return type === "all" ? what : `${what}, ${type}`;
  }
  if (["idle", "lost", "unreg"].includes(kind)) {
    const what = kind === "unreg" ? "unregistered VMs" : `${kind} VMs`;
    return named[0] === "all" ? what : `${what}, ${named[0]}`;
  }
  if (kind === "sysinfo") return named.join(" ");
  return [kind, ...names].join(" ").replaceAll("_", " ");
}
