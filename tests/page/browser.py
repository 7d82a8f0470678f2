"""Headless Chromium, and what a person would see at once: errors, overflow, labels on top of each other."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

PHONE, DESKTOP = 390, 1280
"""Widths in CSS pixels."""

NAMES = ("chromium", "chromium-browser", "google-chrome")

OVERLAPS = """() => {
  const found = [];
  document.querySelectorAll('.picture svg').forEach((svg) => {
    const texts = [...svg.querySelectorAll('text')]
      .filter((text) => text.textContent.trim() && getComputedStyle(text).opacity !== '0')
      .map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0);
    texts.forEach((one, place) => texts.slice(place + 1).forEach((other) => {
      const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      if (across > 1 && down > 3) found.push(`${one.text} / ${other.text}`);
    }));
  });
  return found;
}"""
"""Labels of pictures that lie on each other; a line's box is a little higher than its letters."""

CUT_OFF = """() => [...document.querySelectorAll('.picture')].flatMap((picture) => {
  const edge = picture.getBoundingClientRect();
  return [...picture.querySelectorAll('svg text')].filter((text) => {
    const box = text.getBoundingClientRect();
    const isOutside = box.right > edge.right + 1 || box.left < edge.left - 1;
    return isOutside && box.width > 0 && getComputedStyle(text).opacity !== '0';
  }).map((text) => text.textContent);
})"""
"""Labels that reach beyond their picture."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium: the one that the variable CHROMIUM names, or else the machine's.

    In CI a missing browser fails; elsewhere it skips the test, and says how to have it run.
    """
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = "no Chromium: install one (Debian: apt-get install chromium), or set CHROMIUM to its path"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    flags = ("no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update", "disable-sync")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[f"--{flag}" for flag in flags])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, *, width: int, dark: bool = False) -> Iterator[tuple[Page, list[str]]]:
    """Open a report, wait until its pictures are drawn.

    Yields:
        The page, and what it complained about until now.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        has_touch=width == PHONE,
        offline=True,
    )
    page = context.new_page()
    complaints: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith("file:") else None)
    page.on("dialog", dismissed)
    try:
        page.goto(path.as_uri())
        wait_until_drawn(page)
        yield page, complaints
    finally:
        context.close()


def wait_until_drawn(page: Page) -> None:
    """Wait until every picture is drawn, and nothing is left to draw."""
    page.wait_for_function("document.documentElement.dataset.drawn", timeout=30_000)


def assert_looks_right(page: Page, complaints: list[str]) -> None:
    """Check what a person would see at once."""
    assert complaints == []
    assert page.locator(".picture svg").count() == page.locator(".picture").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(CUT_OFF) == []
    sizes = "texts => texts.map((text) => parseFloat(getComputedStyle(text).fontSize))"
    assert min(page.locator(".picture svg text").evaluate_all(sizes)) >= 11, "letters are too small to read"
