/** The values of the page in the server's order, and what a refresh changes of them. */

const FLASHES_MAX = 300; // beyond that a highlight of what changed shows nothing, and costs

const AGES = ".hb, .mark, .cause, .attention *, .since"; // texts that grow older every minute

let cells = [];

/** Takes stock of the values; to be called before anything on the page is moved about. */
export function collectCells(body) {
  cells = [...body.querySelectorAll("td:not(.f), [data-c]")] // td.f fills a place that has no value
    .map((node) => ({ node, text: node.textContent.trim(), kind: node.className, title: node.title }));
}

export function cellCount() {
  return cells.length;
}

/** Writes new values (text, or [text, class, title]) over the old ones, and shows briefly which have changed. */
export function patchCells(values) {
  const changed = [];
  values.forEach((value, index) => {
    const cell = cells[index];
    const [text, kind = "", title = ""] = typeof value === "string" ? [value] : value;
    if (cell.text === text && cell.kind === kind && cell.title === title) return;
    if (cell.text !== text) {
      cell.node.textContent = text;
      if (!cell.node.matches(AGES)) changed.push(cell.node);
    }
    cell.node.className = kind;
    if (title) cell.node.title = title;
    else cell.node.removeAttribute("title");
    Object.assign(cell, { text, kind, title });
  });
  if (changed.length <= FLASHES_MAX) for (const node of changed) flash(node);
  return changed.length;
}

function flash(node) {
  node.classList.add("changed");
  node.addEventListener("animationend", () => node.classList.remove("changed"), { once: true });
}
