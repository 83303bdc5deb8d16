"""Links of every Markdown file and notebook: `python -m helpers.links` names those that lead nowhere.

Relative links must lead to a file or folder of the repository, anchors to a heading of the file they point into.
Addresses on the web are only read, never visited: a check must give the same answer without a network.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from helpers import paths

# Written for the README, whose folder its links count from.
EMBEDDED = {"figures/tables/claims_short.md": "README.md"}
SUFFIXES = (".md", ".ipynb", ".py")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_HTML = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)[\"']", re.I)
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)", re.M)
_CODE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1\s*$|`[^`\n]+`", re.M | re.S)


def files(root: Path = paths.ROOT) -> list[Path]:
    """Markdown files and notebooks that git knows or would add; without git, all outside hidden and build folders."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"], cwd=root, capture_output=True, text=True, check=True
        ).stdout.split("\0")
        found = [root / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        found = [
            path
            for path in root.rglob("*")
            if not any(part.startswith(".") or part == "build" for part in path.relative_to(root).parts)
        ]
    notebooks = root / paths.NOTEBOOKS.relative_to(paths.ROOT)
    return sorted(
        path
        for path in found
        if path.suffix in SUFFIXES and path.is_file() and (path.suffix != ".py" or path.parent == notebooks)
    )


@cache
def text(path: Path) -> str:
    """The Markdown of a file: the whole of it, or the Markdown cells of a notebook."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        import jupytext

        cells = jupytext.read(path).cells
    else:
        import nbformat

        cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def links(markdown: str) -> Iterator[str]:
    """Targets of all links and images in a Markdown text, code left out."""
    plain = _CODE.sub("", markdown)
    for pattern in (_LINK, _HTML, _REFERENCE):
        yield from pattern.findall(plain)


def anchors(markdown: str) -> set[str]:
    """Names of the headings, as GitHub makes them, and of `<a name=...>`."""
    plain = re.sub(r"^ {0,3}(```|~~~).*?^ {0,3}\1\s*$", "", markdown, flags=re.M | re.S)
    found: set[str] = set(re.findall(r"<a\s[^>]*?(?:name|id)=[\"']([^\"']+)", plain))
    counts: dict[str, int] = {}
    for heading in re.findall(r"^ {0,3}#{1,6}\s+(.+?)\s*#*$", plain, re.M):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        again = counts.get(name, 0)
        counts[name] = again + 1
        found.add(f"{name}-{again}" if again else name)
    return found


def problem(link: str, source: Path, root: Path = paths.ROOT) -> str:
    """What is wrong with a link in the file `source`, in a few words; empty if nothing is."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        sound = re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?", parts.netloc, re.I) and "." in parts.netloc
        return "" if sound else "is no address"
    if parts.scheme == "mailto":
        return "" if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", parts.path) else "is no address"
    if parts.scheme:
        return f"has the unknown scheme {parts.scheme}"
    if parts.path.startswith("/"):
        return "is not relative"
    target = (source.parent / unquote(parts.path)).resolve() if parts.path else source
    if not target.is_relative_to(root.resolve()):
        return "leads out of the repository"
    if not target.exists():
        return "leads to no file"
    if parts.fragment and target.suffix in SUFFIXES and unquote(parts.fragment) not in anchors(text(target)):
        return f"leads to no heading of {target.name}"
    return ""


def problems(root: Path = paths.ROOT) -> list[str]:
    """Every broken link, one sentence each: the file, the link, what is wrong."""
    found = []
    for path in files(root):
        name = path.relative_to(root).as_posix()
        for link in dict.fromkeys(links(text(path))):
            wrong = problem(link, root / EMBEDDED.get(name, name), root)
            if wrong:
                found.append(f"{name}: the link {link} {wrong}.")
    return found


def main() -> int:
    """Command line; 0 if every link leads somewhere."""
    found = problems()
    for line in found:
        sys.stderr.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
