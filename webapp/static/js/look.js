/** Light, dark, wall screen: the buttons that change the look, and what is remembered of them. */

const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];

/** Calls `listener` whenever the colours change (canvases are to be drawn anew). */
export function onColours(listener) {
  listeners.push(listener);
}

/** The value of a colour variable of the stylesheet, in the look of the moment. */
export function readColour(name) {
  return getComputedStyle(root).getPropertyValue(name).trim();
}

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches;
}

function toggleTheme(button) {
  root.dataset.theme = isDark() ? "light" : "dark";
  remember("theme", root.dataset.theme);
  showTheme(button);
  for (const listener of listeners) listener();
}

function showTheme(button) {
  const other = isDark() ? "light" : "dark";
  button.title = `Switch to ${other} colours (t)`;
  button.setAttribute("aria-label", `Switch to ${other} colours`);
}

/** Wall screen: large, without controls; part of the address, so that a kiosk can be pointed at it. */
export function toggleWall() {
  const query = new URLSearchParams(location.search);
  const on = !("wall" in root.dataset);
  if (on) { root.dataset.wall = ""; query.set("wall", "1"); }
  else { delete root.dataset.wall; query.delete("wall"); }
  const text = query.toString();
  history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : ""));
  for (const listener of listeners) listener();
}

export function recall(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

export function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* a private window keeps nothing */ }
}

export function startLook() {
  const theme = document.getElementById("theme");
  theme.addEventListener("click", () => toggleTheme(theme));
  prefersDark.addEventListener("change", () => {
    showTheme(theme);
    for (const listener of listeners) listener();
  });
  showTheme(theme);
  document.getElementById("wall")?.addEventListener("click", toggleWall);
  document.getElementById("leave-wall")?.addEventListener("click", toggleWall);
}
