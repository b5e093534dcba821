"""A real browser for what a person would look at; without one these tests are skipped, aloud."""

import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium, or put Chrome into the PATH")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, headless=True, args=QUIET)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser):
    """A page of some width and theme that may reach nothing; what it asked for is in ``asked``."""
    contexts = []

    def opened(html, *, width=760, dark=False):
        theme = "dark" if dark else "light"
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        colors = "background:#111;color:#ddd" if dark else "background:#fff;color:#111"
        head = '<!doctype html><meta charset="utf-8">'
        head += '<meta name="viewport" content="width=device-width">'
        page.set_content(f"{head}<body style='margin:12px;{colors}'>{html}", wait_until="load")
        return page

    yield opened
    for context in contexts:
        context.close()
