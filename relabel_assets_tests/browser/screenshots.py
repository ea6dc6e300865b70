"""Screenshots of the UI, a report and the review page for the documentation, in a real browser.

It needs the extra `browser`, Chromium or Chrome and chromedriver on the PATH, and a RELABEL_HOME in
which `relabel run` has made the demo corpora. It starts the UI on a free port, writes the pictures
to docs/images, and stops the UI.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from relabel_assets.graph.project import Project

COMMAND = (sys.executable, "-c", "from relabel_assets.cli.main import main; main()")
REVIEWED = "engineering_wiki"
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
    take_review(browser)
    home = Project.from_environment().home
    for page in sorted(home.reports.glob("people_handbook.html")):
        take(browser, page.absolute().as_uri(), "report", "1300,900")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    entry = [*COMMAND, "ui", "--port", str(port)]
    ui = subprocess.Popen(entry, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_and_skip_greeting(f"http://127.0.0.1:{port}/graphql")
        for name, (path, size) in UI_PAGES.items():
            take(browser, f"http://127.0.0.1:{port}/{path}", name, size)
    finally:
        ui.send_signal(signal.SIGINT)
        ui.wait(30)


def take_review(browser: str) -> None:
    """The review page with a sample of a copy of the corpus folder, so that nothing is left in it."""
    with tempfile.TemporaryDirectory() as data:
        shutil.copytree(Path(Project.from_environment().data_path) / REVIEWED, f"{data}/{REVIEWED}")
        environment = os.environ | {"RELABEL_DATA": data}
        sample = [*COMMAND, "review", "sample", "-c", REVIEWED]
        subprocess.run(sample, env=environment, check=True, stdout=subprocess.DEVNULL)
        serve = [*COMMAND, "review", "serve", "-c", REVIEWED, "--assessor", "ana"]
        server = subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            take(browser, server.stdout.readline().strip(), "review", "1280,900")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


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
