/** The server's clock, so that ages are right on a machine whose own clock is not. */

let offset_s = 0;

/** Epoch seconds as the server counts them. */
export function serverNow() {
  return Date.now() / 1000 + offset_s;
}

/** Learns from an answer's Date header, which is precise to the second. */
export function noteServerDate(header) {
  const at_ms = Date.parse(header ?? "");
  if (Number.isFinite(at_ms)) setOffset((at_ms - Date.now()) / 1000);
}

/** Before any answer: the page was rendered in the minute that began at `asOf_s`. */
export function guessFromPage(asOf_s) {
  const now_s = Date.now() / 1000;
  if (now_s < asOf_s - 5) setOffset(asOf_s - now_s);
  else if (now_s > asOf_s + 90) setOffset(asOf_s + 60 - now_s);
}

function setOffset(seconds) {
  offset_s = Math.abs(seconds) < 2 ? 0 : seconds;
}
