"""Screenshots of the UI and a report for the documentation, in a real browser.

It needs the extra `browser`, Chromium or Chrome and chromedriver on the PATH, and a RELABEL_HOME in
which `relabel run` has made the demo corpora. It starts the UI on a free port, writes the pictures
to docs/images, and stops the UI.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from relabel_assets.graph.project import Project

IMAGES = Path(__file__).parents[2] / "docs" / "images"
UI_PAGES = {
    "graph": ("asset-groups", "1900,900"),
    "partition": ("assets/teacher_labels?view=partitions&partition=people_handbook", "1500,1180"),
}
BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
# The UI polls without end, so no event tells that a page is complete.
SETTLED_S = 25


def main() -> None:
    browser = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if browser is None:
        sys.exit("No chromium, chromium-browser or google-chrome on the PATH. Install one of them.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    home = Project.from_environment().home
    for page in sorted(home.reports.glob("people_handbook.html")):
        take(browser, page.absolute().as_uri(), "report", "1300,900")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    entry = [
        sys.executable,
        "-c",
        "from relabel_assets.cli.main import main; main()",
        "ui",
        "--port",
        str(port),
    ]
    ui = subprocess.Popen(entry, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_and_skip_greeting(f"http://127.0.0.1:{port}/graphql")
        for name, (path, size) in UI_PAGES.items():
            take(browser, f"http://127.0.0.1:{port}/{path}", name, size)
    finally:
        ui.send_signal(signal.SIGINT)
        ui.wait(30)


def wait_and_skip_greeting(graphql: str) -> None:
    """Wait until the UI answers, and dismiss its first-visit greeting."""
    body = json.dumps({"query": "mutation { setNuxSeen }"}).encode()
    request = urllib.request.Request(graphql, body, {"content-type": "application/json"})
    for _ in range(120):
        try:
            urllib.request.urlopen(request, timeout=5).read()
            return
        except OSError:
            time.sleep(0.5)
    sys.exit("The UI did not start within a minute.")


def take(browser: str, url: str, name: str, size: str) -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*BROWSER_FLAGS, f"--window-size={size}"):
        options.add_argument(flag)
    with webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver"))) as driver:
        driver.get(url)
        time.sleep(SETTLED_S)
        driver.save_screenshot(str(IMAGES / f"{name}.png"))


if __name__ == "__main__":
    main()
