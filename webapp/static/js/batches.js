/** Pages of batches: submitting pictures, pausing, cancelling, putting back, another deadline; each asks once more before. */

import { confirmChange, keepFocus } from "./acts.js";
import { askFor, sendChange } from "./change.js";
import { refreshNow } from "./refresh.js";

const HOUR_S = 3600;
const LATER_MS = [3000, 8000, 20_000]; // what was asked for is mostly at its end by then
const find = (id) => document.getElementById(id);
const pathOf = (name, act) => `api/batches/${encodeURIComponent(name)}/${act}`;

/** What a form's hours are as a deadline in seconds; null for an empty field. */
export function readHours(text) {
  const hours = Number(String(text ?? "").trim());
  return hours > 0 ? Math.round(hours * HOUR_S) : null;
}

/** A name for a batch, out of the last part of its source. */
export function nameOf(source) {
  const last = source.replace(/\/+$/, "").split("/").pop();
  return last.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[._-]+/, "").slice(0, 100);
}

/** Shows what was asked for, and what becomes of it. */
function follow() {
  void refreshNow();
  for (const wait_ms of LATER_MS) setTimeout(() => { if (!document.hidden) void refreshNow(); }, wait_ms);
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Says from where may be submitted, to whom is known. */
async function showSources(dialog, token) {
  const line = dialog.querySelector(".preview");
  try {
    const told = await sendChange("api/submit-sources", { method: "GET", token });
    find("sources").replaceChildren(...told.sources.map((source) => new Option(source, source)));
    line.textContent = told.sources.length ? `Below ${told.sources.join(", ")}.`
      : told.supervisors ? "No running supervisor has WORKER_SUBMIT_SOURCES set: it will wait."
        : "No supervisor is running: it will wait.";
  } catch (error) {
    line.textContent = error.needsToken ? "With your token the page says from where." : error.message;
    if (error.needsToken) dialog.querySelector(".token").hidden = false;
  }
}

function submit() {
  const dialog = find("submit-dialog"), form = dialog.querySelector("form");
  form.reset();
  dialog.querySelector(".preview").textContent = "";
  let named = false, key = newKey(), sent = ""; // sent again, whatever became of the answer, it is the same request
  form.oninput = ({ target }) => {
    if (target.name === "name") named = Boolean(target.value);
    if (target.name === "source" && !named) form.elements.name.value = nameOf(target.value);
  };
  form.elements.token.onchange = ({ target }) => { if (target.value) void showSources(dialog, target.value.trim()); };
  askFor(dialog, "A supervisor lists the source and all below it, and its pictures are read.", async (fields, token) => {
    const body = {
      name: String(fields.get("name")).trim(), source: String(fields.get("source")).trim(),
      priority: Number(fields.get("priority")),
    };
    const deadline = readHours(fields.get("hours"));
    if (deadline) body.deadline = deadline;
    if (sent !== JSON.stringify(body)) { key = newKey(); sent = JSON.stringify(body); }
    await sendChange("api/batches", { body, token, key });
    follow();
  });
  void showSources(dialog);
}

function changeDeadline(name) {
  const dialog = find("deadline-dialog");
  dialog.querySelector("form").reset();
  askFor(dialog, `Of ${name}; with an empty field it has none any more.`, async (fields, token) => {
    await sendChange(pathOf(name, "deadline"), { body: { deadline: readHours(fields.get("hours")) }, token });
    follow();
  });
}

function retry(name) {
  const dialog = find("retry-dialog");
  dialog.querySelector("form").reset();
  askFor(dialog, `What of ${name} was given up or cancelled is read again.`, async (fields, token) => {
    const body = fields.get("failed_images") ? { failed_images: true } : {};
    await sendChange(pathOf(name, "retry"), { body, token });
    follow();
  });
}

const CONFIRMED = {
  pause: ["Pause the batch", (name) => `No more pictures of ${name} are begun; those being read are finished.`],
  resume: ["Resume the batch", (name) => `Pictures of ${name} are read again.`],
  cancel: ["Cancel the batch", (name) => `What of ${name} is not read yet is given up, also what is still being submitted. Results stay.`],
};

export function startBatches() {
  if (document.body.dataset.page !== "fleet" || !find("submit-dialog")) return;
  keepFocus("batch");
  find("body").addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    const act = button.dataset.do, name = button.closest("[data-batch]")?.dataset.batch;
    if (act === "submit") submit();
    else if (act === "deadline") changeDeadline(name);
    else if (act === "retry") retry(name);
    else if (CONFIRMED[act]) {
      const [heading, about] = CONFIRMED[act];
      confirmChange(heading, about(name), pathOf(name, act), { body: {} }, follow);
    }
  });
}
