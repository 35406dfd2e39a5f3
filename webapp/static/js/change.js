/** Requests that change something. Where the page asks who does it, a dialog's field for a token comes up. */

const KEPT = "cloud-monitor-token"; // for this tab alone

/**
 * Sends `body` as JSON; with a `key` it is done once, however often it is sent. Resolves with the answer, null for an empty one; rejects with an Error whose `needsToken` says
 * that a token is asked for, and whose message is the page's own.
 */
export async function sendChange(path, { method = "POST", body, token, key } = {}) {
  const known = token || sessionStorage.getItem(KEPT);
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (known) headers.Authorization = `Bearer ${known}`;
  if (key) headers["Idempotency-Key"] = key;
  const answer = await fetch(document.body.dataset.root + path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
    signal: AbortSignal.timeout(20_000),
  });
  if (answer.ok) {
    if (token) sessionStorage.setItem(KEPT, token);
    return answer.status === 204 ? null : answer.json();
  }
  if (answer.status === 401) sessionStorage.removeItem(KEPT);
  const told = await answer.json().catch(() => null);
  const error = new Error(told?.error?.message ?? `The page answered ${answer.status}.`);
  error.needsToken = answer.status === 401 && (told?.error?.message ?? "").includes("WEBAPP_TOKEN_FILE");
  throw error;
}

/**
 * A dialog with a form `.change` and a paragraph `.about`: shows it, and on its submission calls `act(fields, token)`
 * until that is done or the dialog is left. `fields` is the form's FormData.
 */
export function askFor(dialog, about, act) {
  const form = dialog.querySelector("form.change");
  const refused = dialog.querySelector(".refused"), tokenRow = dialog.querySelector(".token");
  const before = document.activeElement;
  dialog.querySelector(".about").textContent = about;
  refused.textContent = "";
  tokenRow.hidden = true;
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (dialog.hasAttribute("aria-busy")) return;
    dialog.setAttribute("aria-busy", "true");
    try {
      const fields = new FormData(form);
      await act(fields, String(fields.get("token") ?? "").trim());
      dialog.close();
    } catch (error) {
      refused.textContent = error.name === "TimeoutError" ? "The page does not answer." : error.message;
      if (error.needsToken) { tokenRow.hidden = false; tokenRow.querySelector("input").focus(); }
    } finally {
      dialog.removeAttribute("aria-busy");
      form.elements.token.value = "";
    }
  };
  dialog.querySelector(".leave").onclick = () => dialog.close();
  dialog.onclose = () => { if (before?.isConnected) before.focus({ preventScroll: true }); };
  dialog.showModal();
}
