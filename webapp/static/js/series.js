/** Series from the server: fetched, laid on one time axis, summed up in figures. */

export class SeriesError extends Error {
  constructor(message, retryAfter_s) {
    super(message);
    this.retryAfter_s = retryAfter_s;
  }
}

const TRIES = 4;
let last = Promise.resolve(); // one request at a time: a page with many small plots leaves Graphite to others too

/**
 * The series of `targets` between two epoch seconds, thinned out to about `points`.
 * @returns {{step_s: number, series: {target, label, unit, meaning, timestamps, values}[]}}
 * @throws {SeriesError} with `retryAfter_s` where it may go better later
 */
export function fetchSeries(targets, from_s, until_s, signal, points) {
  const query = new URLSearchParams();
  for (const target of targets) query.append("target", target);
  query.set("from", String(Math.floor(from_s)));
  query.set("until", String(Math.floor(until_s)));
  if (points) query.set("points", String(points));
  const answer = last.then(() => ask(`${document.body.dataset.root}api/series?${query}`, signal, TRIES));
  last = answer.catch(() => null);
  return answer;
}

async function ask(address, signal, tries) {
  let answer;
  try {
    answer = await fetch(address, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new SeriesError("Cloud Monitor does not answer.", 15);
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  const wait_s = Number(answer.headers.get("Retry-After")) || 2;
  if (answer.status === 503 && tries > 1) {
    await new Promise((resolve) => { setTimeout(resolve, wait_s * 1000); });
    return ask(address, signal, tries - 1);
  }
  const message = body?.error?.message ?? `The server answered ${answer.status}.`;
  throw new SeriesError(message, answer.status >= 500 ? 15 : undefined);
}

/** Series on one common axis: `[xs, ...ys]`, sorted; null is a gap, undefined a time that a series does not have. */
export function joinSeries(series) {
  const times = new Set();
  for (const one of series) for (const at of one.timestamps) times.add(at);
  const xs = [...times].sort((a, b) => a - b);
  const place = new Map(xs.map((at, index) => [at, index]));
  const columns = series.map((one) => {
    const ys = new Array(xs.length).fill(undefined);
    one.timestamps.forEach((at, index) => { ys[place.get(at)] = one.values[index]; });
    return ys;
  });
  return [xs, ...columns];
}

/** The figures of a legend line; each null where the series has no value. */
export function summarise(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (known.length === 0) return { current: null, min: null, max: null, mean: null };
  let min = known[0], max = known[0], sum = 0;
  for (const value of known) {
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
  }
  return { current: known[known.length - 1], min, max, mean: sum / known.length };
}
