"""Where a test finds things on a page, in the words of a reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).parents[2]


def grid_of(page: Page, grid: str) -> Locator:
    return page.locator(f"section#grid-{grid}")


def cell_of(page: Page, grid: str, cloud: str, vmtype: str, heading: str) -> Locator:
    """The cell of a cloud's VM type under a heading, such as Running."""
    table = grid_of(page, grid).locator("table.clouds")
    return _under(table, f'tbody[data-cloud="{cloud}"] tr[data-t="{vmtype}"]', heading)


def job_cell(page: Page, grid: str, jobtype: str, heading: str) -> Locator:
    table = grid_of(page, grid).locator('table.figures:has(caption:text-is("Jobs"))')
    return _under(table, f'tbody tr[data-t="{jobtype}"]', heading)


def total_cell(page: Page, grid: str, heading: str) -> Locator:
    return _under(grid_of(page, grid).locator("table.clouds"), "tfoot tr", heading)


def _under(table: Locator, row: str, heading: str) -> Locator:
    headings = table.locator("thead tr:last-child th").all_text_contents()
    place = [text.strip() for text in headings].index(heading)
    return table.locator(f"{row} > :nth-child({place + 1})")


def pause(page: Page) -> None:
    """Stop the page's refreshing; one that was under way has come to its end."""
    page.locator("#pause").click()
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#body[aria-busy]")).to_have_count(0)


def number(text: str) -> float:
    """The number that a cell shows."""
    return float(text.replace(" ", "").strip())


def shown_paths(page: Page) -> list[str]:
    """The traces of the plot that is open, by the legend."""
    titles = page.locator("#plot-legend tr:not(.incomplete)").evaluate_all(
        "rows => rows.map(row => row.title.split('\\n')[0])"
    )
    return [str(title) for title in titles]


def find_serious(page: Page) -> list[dict[str, Any]]:
    """What axe finds that is serious or critical, on the page as it is now."""
    page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text())
    result: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        {
            "id": found["id"],
            "help": found["help"],
            "where": [node["html"][:160] for node in found["nodes"][:4]],
        }
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
    ]


def watch_copying(page: Page) -> None:
    """From now on the page notes that something says it was copied, which it does for a moment."""
    noted = "() => { if (document.querySelector('.copied')) window.saidCopied = true; }"
    where = "{subtree: true, attributes: true, attributeFilter: ['class']}"
    page.evaluate(f"() => new MutationObserver({noted}).observe(document.body, {where})")


def copied_text(page: Page) -> str:
    """What is on the clipboard once the page has said so."""
    page.wait_for_function("() => window.saidCopied === true")
    return str(page.evaluate("() => navigator.clipboard.readText()"))


def read_json(page: Page, url: str) -> Any:
    return json.loads(page.request.get(url).text())
