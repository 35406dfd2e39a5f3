/**
 * The page keeps itself up to date: each minute the values alone, or a 304; the whole body where its rows have changed.
 * Where that fails the page says so, and nothing old is shown as if it held now.
 */

import { noteServerDate, serverNow } from "./clock.js";
import { element } from "./dom.js";
import { showEvents } from "./events.js";
import { cellCount, collectCells, patchCells } from "./livecells.js";
import { formatAge } from "./ranges.js";

const RETRY_S = 10;
const { dataset } = document.body;
const root = document.documentElement;
const body = document.getElementById("body");
const every_s = Number(dataset.refreshS);
const onlySeen = dataset.refreshSeen !== undefined; // a page that asks every few seconds asks while it is looked at
const staleAfter_s = Number(dataset.staleAfterS);

let layout = dataset.layout;
let takenAt_s = Number(dataset.takenAt);
let pollError = dataset.pollError;
let held = dataset.held; // which fleets claim nothing
let etag = "";
let trouble = ""; // why the last refresh failed
let paused = false;
let asking = false;
let due_s = serverNow() + every_s;
const listeners = { values: [], body: [], before: [] };

/** Calls `listener`: on "values" when new values are in (with the whole answer), on "body" when the rows are new too, on "before" before that. */
export function onRefresh(event, listener) {
  listeners[event].push(listener);
}

const tell = (event, news) => { for (const listener of listeners[event]) listener(news); };

async function fetchPart(part) {
  const headers = part === "cells" && etag ? { "If-None-Match": etag } : {};
  const answer = await fetch(`${location.pathname}?${dataset.query ? `${dataset.query}&` : ""}part=${part}`, {
    headers, cache: "no-store", signal: AbortSignal.timeout(20_000),
  });
  noteServerDate(answer.headers.get("Date"));
  if (answer.status === 304) return null;
  if (!answer.ok) throw new Error(`it answered ${answer.status}`);
  if (part === "cells") etag = answer.headers.get("ETag") ?? "";
  return answer.json();
}

async function refresh() {
  const news = await fetchPart("cells");
  if (news === null) return;
  if (news.layout !== layout || news.cells.length !== cellCount()) await replaceBody();
  else patchCells(news.cells);
  takenAt_s = news.taken_at;
  pollError = news.poll_error;
  held = news.held;
  showEvents(news.events);
  tell("values", news);
}

async function replaceBody() {
  const { html, layout: newLayout } = await fetchPart("body");
  tell("before");
  const parsed = new DOMParser().parseFromString(html, "text/html");
  body.replaceChildren(...parsed.body.childNodes);
  layout = newLayout;
  collectCells(body);
  tell("body");
}

/** The page shows what the server did not send: the next refresh brings the whole body, whatever it was before. */
export function renewBody() {
  layout = "";
  etag = "";
}

/** Asks at once, also while paused; `#body` is marked as busy until the answer is in. */
export async function refreshNow() {
  if (asking) return;
  asking = true;
  body.setAttribute("aria-busy", "true");
  try {
    await refresh();
    trouble = "";
    due_s = serverNow() + every_s;
  } catch (error) {
    trouble = error.name === "TimeoutError" ? "it does not answer" : error instanceof TypeError ? "it cannot be reached" : error.message;
    due_s = serverNow() + Math.min(RETRY_S, every_s);
  } finally {
    asking = false;
    body.removeAttribute("aria-busy");
    tick();
  }
}

export function togglePause() {
  paused = !paused;
  const button = document.getElementById("pause");
  button.setAttribute("aria-pressed", String(paused));
  button.title = paused ? "Go on refreshing (p)" : "Pause refreshing (p)";
  due_s = Math.max(due_s, serverNow() + 1);
  if (paused) tick();
  else void refreshNow();
}

function tick() {
  const now_s = serverNow();
  const isDue = !paused && now_s >= due_s && !(onlySeen && document.hidden);
  if (isDue && !asking && navigator.onLine) void refreshNow();
  showCountdown(Math.max(0, Math.ceil(due_s - now_s)));
  showAge(now_s);
  showBanner(now_s);
}

function showCountdown(left_s) {
  document.getElementById("countdown").textContent = paused ? "–" : String(left_s);
  const ring = document.getElementById("countdown-ring");
  ring.setAttribute("stroke-dashoffset", String(paused ? 60 : 60 * (1 - Math.min(1, left_s / every_s))));
}

function showAge(now_s) {
  const line = document.getElementById("age");
  const aged = isAged(now_s);
  line.textContent = takenAt_s ? `Data ${formatAge(now_s - takenAt_s)} old` : "No data yet";
  line.classList.toggle("old", aged);
  root.toggleAttribute("data-aged", aged);
}

function isAged(now_s) {
  return takenAt_s > 0 && now_s - takenAt_s > staleAfter_s;
}

/** One sentence on what is wrong, the nearest cause first; it is only written anew when the cause changes. */
function showBanner(now_s) {
  let text = "", calm = false;
  if (!navigator.onLine) text = "This browser is offline: the figures are those of the last refresh.";
  else if (trouble) text = `Cloud Monitor gives no new figures: ${trouble}. Trying again every ${Math.min(RETRY_S, every_s)} s.`;
  else if (pollError) text = `The last poll of Graphite failed: ${pollError}`;
  else if (paused && isAged(now_s)) [text, calm] = ["Refreshing is paused, and the figures have grown old.", true];
  else if (isAged(now_s)) text = "The figures are old: nothing has been polled from Graphite lately.";
  else if (held) [text, calm] = [held, true];
  const banner = document.getElementById("banner");
  if (banner.textContent.trim() === text) return;
  banner.classList.toggle("calm", calm);
  banner.replaceChildren(...(text ? [element("p", {}, text)] : []));
}

export function startRefresh() {
  document.getElementById("refresh").addEventListener("click", refreshNow);
  document.getElementById("pause").addEventListener("click", togglePause);
  addEventListener("online", refreshNow);
  addEventListener("offline", tick);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  collectCells(body);
  setInterval(tick, 1000);
  tick();
}
