"""`python -m helpers.supplement`: make the site, and the README's pictures of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from helpers import paths
from helpers.supplement import browser, site


def main(arguments: list[str] | None = None) -> int:
    """Build the supplement; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helpers.supplement", description=__doc__)
    parser.add_argument("--output", type=Path, default=site.OUTPUT, help="folder of the site (notebooks/supplement)")
    parser.add_argument(
        "--screenshots",
        action="store_true",
        help="also write figures/supplement_front.png and _notebook.png (chromium)",
    )
    options = parser.parse_args(arguments)
    try:
        index = site.build(options.output.absolute())
        if options.screenshots:
            browser.screenshots(index.parent, paths.outputs().figures)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    files = [path for path in index.parent.rglob("*") if path.is_file()]
    pages = sum(path.suffix == ".html" for path in files)
    size = sum(path.stat().st_size for path in files) / 1e6
    shown = index.relative_to(paths.ROOT) if index.is_relative_to(paths.ROOT) else index
    sys.stdout.write(f"{shown}: {pages} pages, {size:.0f} MB. Open it in a browser; it needs no network.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
