// Run before the page is drawn (a classic script), so that no light page flashes up on a dark screen at night.
(() => {
  const root = document.documentElement;
  const read = (key) => {
    try { return localStorage.getItem(key); } catch { return null; }
  };
  const theme = read("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (new URLSearchParams(location.search).get("wall") === "1") root.dataset.wall = "";
  root.dataset.script = "";
})();
