/** Parts that are folded away: each opens where an address or a link leads to it. */

function unfold(hash) {
  const place = document.getElementById(hash.slice(1)), fold = place?.closest("details");
  if (!fold || fold.open) return;
  fold.open = true;
  place.scrollIntoView();
}

export function startFolds() {
  unfold(location.hash);
  window.addEventListener("hashchange", () => unfold(location.hash));
  document.addEventListener("click", ({ target }) => { // also of a link to where the address leads already
    const link = target.closest("a[href^='#']");
    if (link) unfold(link.hash);
  });
}
