/** A click on what is marked `data-copy` puts its text on the clipboard, and says so; where that is refused the text is selected. */

const SAID_MS = 1500;

async function copy(place) {
  try {
    await navigator.clipboard.writeText(place.textContent);
  } catch { // not over plain http, or refused
    getSelection().selectAllChildren(place);
    return;
  }
  place.classList.add("copied");
  setTimeout(() => place.classList.remove("copied"), SAID_MS);
}

export function startCopying() {
  document.getElementById("body").addEventListener("click", (event) => {
    const place = event.target.closest("[data-copy]");
    if (place) void copy(place);
  });
}
