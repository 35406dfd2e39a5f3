/** The page of machines: asking for them, draining and deleting them, pausing groups; each asks once more before. */

import { confirmChange, keepFocus } from "./acts.js";
import { askFor, sendChange } from "./change.js";
import { formatNumber } from "./numbers.js";
import { refreshNow } from "./refresh.js";

const PREVIEW_MS = 250; // after the last key
const NEEDS = ["group", "preset", "cores", "memory_gb", "storage_gb", "bandwidth_mbps", "gpus", "count"];
const find = (id) => document.getElementById(id);

/** What the form asks for: numbers as such, fields that are empty left out. */
export function readNeeds(fields) {
  const asked = {};
  for (const name of NEEDS) {
    const text = String(fields.get(name) ?? "").trim();
    if (text) asked[name] = name === "group" || name === "preset" ? text : Number(text);
  }
  return asked;
}

/** The answer to a preview as a sentence. */
export function describeOffer(offer) {
  const parts = [`${formatNumber(offer.cores)} cores`, `${formatNumber(offer.memory_gb)} GB memory`];
  if (offer.storage_gb) parts.push(`${formatNumber(offer.storage_gb)} GB storage`);
  if (offer.bandwidth_mbps) parts.push(`${formatNumber(offer.bandwidth_mbps)} Mbps`);
  if (offer.gpus) parts.push(`${formatNumber(offer.gpus)} GPUs`);
  const price = offer.price_per_hour
    ? `${formatNumber(offer.price_per_hour)} an hour, ${formatNumber(Math.round(offer.price_per_hour * 2400) / 100)} a day`
    : "price not known";
  const room = offer.room === null ? "no limit of the quota is known" : `the quota leaves ${formatNumber(offer.room)}`;
  const times = offer.count > 1 ? `${offer.count} × ` : "";
  return `${times}${offer.size || offer.place} (${parts.join(", ")}) at ${offer.place} of ${offer.group}: ${price}; ${room}.`;
}

function create() {
  const dialog = find("create-dialog"), form = dialog.querySelector("form");
  const line = dialog.querySelector(".preview"), button = dialog.querySelector(".go");
  let waiting = null, newest = 0;
  const show = async () => {
    const turn = (newest += 1);
    const query = new URLSearchParams(readNeeds(new FormData(form)));
    const answer = await fetch(`${document.body.dataset.root}api/machine-preview?${query}`, { cache: "no-store" }).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (turn !== newest) return;
    const isGood = Boolean(answer?.ok && told);
    line.textContent = isGood ? describeOffer(told) : told?.error?.message ?? "The page does not answer.";
    line.classList.toggle("w", !isGood);
    button.disabled = !isGood;
  };
  const later = () => { clearTimeout(waiting); button.disabled = true; waiting = setTimeout(show, PREVIEW_MS); };
  form.reset();
  form.oninput = (event) => { if (event.target.name !== "token") later(); };
  line.textContent = "";
  later();
  askFor(dialog, "It stays until somebody asks for its end: the group's rule does not end it.", async (fields, token) => {
    await sendChange("api/machines", { body: readNeeds(fields), token });
    void refreshNow();
  });
}

function endMachine(name, now) {
  const about = now
    ? `${name} is deleted at once. What it works on is done again elsewhere.`
    : `${name} takes no more work, finishes what it has, and is deleted then.`;
  const path = `api/machines/${encodeURIComponent(name)}${now ? "?now=true" : ""}`;
  confirmChange(now ? "Delete the machine" : "Drain the machine", about, path, { method: "DELETE" });
}

function pauseGroup(name, paused) {
  const about = paused
    ? `The machines of ${name} stay as they are: none is made, none is ended by the rule. They cost as before.`
    : `${name} is scaled again, also where it stopped because machines died young.`;
  const path = `api/machines/groups/${encodeURIComponent(name)}`;
  confirmChange(paused ? "Pause the group" : "Resume the group", about, path, { method: "PUT", body: { paused } });
}

function setLimits({ group, least, most }) {
  const dialog = find("limits-dialog"), form = dialog.querySelector("form");
  form.elements.least.value = least;
  form.elements.most.value = most;
  askFor(dialog, `Of ${group}, in place of its configuration; an empty field is the configuration's again.`, async (fields, token) => {
    const read = (name) => { const text = String(fields.get(name)).trim(); return text ? Number(text) : null; };
    const body = { least: read("least"), most: read("most") };
    await sendChange(`api/machines/groups/${encodeURIComponent(group)}`, { method: "PUT", body, token });
    void refreshNow();
  });
}

export function startMachines() {
  if (document.body.dataset.page !== "machines") return;
  keepFocus("group", "machine");
  document.getElementById("body").addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    const act = button.dataset.do;
    const group = button.closest("[data-group]")?.dataset, machine = button.closest("[data-machine]")?.dataset.machine;
    if (act === "create") create();
    else if (act === "limits") setLimits(group);
    else if (group) pauseGroup(group.group, act === "pause");
    else endMachine(machine, act === "delete");
  });
}
