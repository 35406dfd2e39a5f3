/** Buttons of a page's rows that ask for a change. */

import { askFor, sendChange } from "./change.js";
import { onRefresh, refreshNow } from "./refresh.js";

/** Asks once more, then sends the change and shows what came of it by `show`. */
export function confirmChange(heading, about, path, options, show = refreshNow) {
  document.getElementById("confirm-title").textContent = heading;
  askFor(document.getElementById("confirm-dialog"), about, async (fields, token) => {
    await sendChange(path, { ...options, token });
    void show();
  });
}

/** The button that has the keyboard keeps it where the rows around it are new; `marks` are the data of a row that tell it. */
export function keepFocus(...marks) {
  const tell = (button) => marks.map((mark) => button.closest(`[data-${mark}]`)?.dataset[mark]).join("\n");
  let had = null;
  onRefresh("before", () => {
    const button = document.activeElement?.closest?.("#body [data-do]");
    had = button && { act: button.dataset.do, row: tell(button) };
  });
  onRefresh("body", () => {
    if (!had) return;
    const buttons = [...document.querySelectorAll(`#body [data-do="${had.act}"]`)];
    buttons.find((button) => tell(button) === had.row)?.focus({ preventScroll: true });
  });
}
