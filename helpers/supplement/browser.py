"""A real browser over the supplement: Debian's chromium without a window, for its tests and the README's pictures."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_PROGRAMS = {"chromium": ("chromium", "chromium-browser"), "chromium-driver": ("chromedriver",)}  # by Debian package
WIDTH, HEIGHT = 1200, 800
LARGEST = 300_000
PICTURES = {
    "supplement_front.png": ("index.html", ""),
    "supplement_notebook.png": ("02_generator_tuner_described.html", "20-iterations"),
}


class BrowserMissingError(OSError):
    """There is no browser to drive; the message says how to get one."""


def missing() -> str:
    """What is missing for a browser to be driven, in one sentence; "" if nothing is."""
    lacking = [
        package
        for package, names in {
            "chromium": ("chromium", "chromium-browser"),
            "chromium-driver": ("chromedriver",),
        }.items()
        if not any(map(shutil.which, names))
    ]
    if not lacking:
        return ""
    return (
        f"No {' and no '.join(lacking)} is installed, so the supplement is not tried in a browser; on Debian: "
        f"apt-get install --no-install-recommends {' '.join(lacking)}."
    )


@contextmanager
def chromium(width: int = WIDTH, height: int = HEIGHT) -> Iterator[Chrome]:
    """Chromium without a window and without a network, for the length of a `with` block.

    Raises
    ------
    BrowserMissingError
        If chromium or its driver is not installed.
    """
    if said := missing():
        raise BrowserMissingError(said)
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for argument in (
            "--headless=new",
            "--no-sandbox",  # chromium refuses its sandbox to root, which is what a container runs as
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--disable-background-networking",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
        ):
            options.add_argument(argument)
        driver = Chrome(options=options, service=ChromeService(executable_path=shutil.which("chromedriver")))
        try:
            yield driver
        finally:
            driver.quit()


def emulate(
    driver: Chrome, *, width: int = WIDTH, height: int = HEIGHT, dark: bool = False, phone: bool = False
) -> None:
    """Size of the screen in CSS pixels, and whether the reader prefers dark pages."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    calm = {"name": "prefers-reduced-motion", "value": "reduce"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, calm]})


def screenshots(site: Path, folder: Path) -> list[Path]:
    """Pictures of the front page and of a notebook page, 1200 x 800 pixels, at most 300 kB each.

    Raises
    ------
    BrowserMissingError
        If there is no browser.
    """
    from helpers import figures

    made = []
    with chromium() as driver:
        emulate(driver)
        for name, (page, anchor) in PICTURES.items():
            driver.get((site / page).as_uri())
            _settle(driver, anchor)
            figures.write_aside(folder / name, _small(driver.get_screenshot_as_png()))
            made.append(folder / name)
    return made


def _settle(driver: Chrome, anchor: str) -> None:
    """Go to an anchor, and wait until the pictures in sight are there."""
    driver.execute_async_script(
        """
        const [anchor, done] = arguments;
        const place = anchor && document.getElementById(anchor);
        if (place) place.scrollIntoView({block: 'start', behavior: 'instant'});
        const seen = [...document.images].filter(i => {
            const box = i.getBoundingClientRect();
            return box.bottom > -400 && box.top < innerHeight + 400;
        });
        Promise.all(seen.map(i => { i.loading = 'eager'; return i.decode().catch(() => 0); }))
            .then(() => { if (place) place.scrollIntoView({block: 'start', behavior: 'instant'}); })
            .then(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true))));
        """,
        anchor,
    )


def _small(png: bytes) -> bytes:
    """The picture as a PNG under `LARGEST` bytes; with 256 colours where it would be larger."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.save(buffer, "PNG", optimize=True)
    if buffer.tell() > LARGEST:
        buffer = io.BytesIO()
        picture.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
