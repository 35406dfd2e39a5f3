// Run before the page is drawn (a classic script), so that no light page flashes up on a dark screen at night.
// And it loads the page anew where main.js is never at work: a browser asks for a module once, and without one of
// them the page would show its figures for ever, without a word on their age.
(() => {
  const RETRY_S = 10, PATIENCE_S = 120; // after all was loaded but what failed; where something never comes
  const root = document.documentElement;
  const read = (key) => {
    try { return localStorage.getItem(key); } catch { return null; }
  };
  const theme = read("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (new URLSearchParams(location.search).get("wall") === "1") root.dataset.wall = "";
  root.dataset.script = "";
  const againUnlessReady = async () => {
    if (root.dataset.ready !== undefined) return;
    const isServed = await fetch(location.href, { method: "HEAD" }).then((answer) => answer.ok, () => false);
    if (isServed) location.reload(); // else the figures that are here would be gone
    else setTimeout(againUnlessReady, RETRY_S * 1000);
  };
  addEventListener("load", () => setTimeout(againUnlessReady, RETRY_S * 1000));
  setTimeout(againUnlessReady, PATIENCE_S * 1000);
})();
