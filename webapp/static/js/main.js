/** Start here: gives the page, which is complete as it comes, its refresh, its plots and its keyboard. */

import { startAlerts } from "./alerts.js";
import { startBatches } from "./batches.js";
import { showChanges } from "./changes.js";
import { guessFromPage } from "./clock.js";
import { startCopying } from "./copy.js";
import { showCountdowns, startCountdowns } from "./countdown.js";
import { startEvents } from "./events.js";
import { applyFilter, countFolded, startFilter } from "./filter.js";
import { startFinder } from "./finder.js";
import { startFolds } from "./folds.js";
import { startKeys } from "./keys.js";
import { startLook } from "./look.js";
import { startMachines } from "./machines.js";
import { followPlot, startPlot } from "./plotpanel.js";
import { onRefresh, startRefresh } from "./refresh.js";
import { startResults } from "./results.js";
import { startReviews } from "./review.js";
import { prepareValues, rememberFocus, restoreFocus, startSelecting } from "./select.js";
import { keepOrder, prepareHeadings, startSorting } from "./sort.js";
import { drawSparks } from "./sparks.js";

guessFromPage(Number(document.body.dataset.asOf));
startLook();
startRefresh(); // first of all that reads the page: it takes stock of the values in the server's order
startEvents();
startAlerts();
startSorting();
startFilter();
startSelecting();
startPlot();
startFinder();
startMachines();
startBatches();
startCountdowns();
startCopying();
startFolds();
startResults();
startReviews();
startKeys();
void drawSparks();
void showChanges();

let focused = null, unfolded = [];
onRefresh("before", () => {
  focused = rememberFocus();
  unfolded = [...document.querySelectorAll("#body details[open]")].map((details) => details.dataset.name);
});
onRefresh("body", () => {
  prepareHeadings();
  prepareValues();
  applyFilter();
  countFolded();
  for (const details of document.querySelectorAll("#body details")) details.open = unfolded.includes(details.dataset.name);
  restoreFocus(focused);
  showCountdowns();
});
onRefresh("values", () => {
  keepOrder();
  followPlot();
  void drawSparks();
  void showChanges();
});
document.documentElement.dataset.ready = "";
