"""What could run code when this repository is opened: loaders in modules, scripts in notebooks, loose packages."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

MODULES = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
# Of joblib: within a run, no files.
PROCESSES = {"Parallel", "delayed", "parallel_config", "cpu_count", "TerminatedWorkerError"}
CALLS = {"eval", "exec", "compile", "read_pickle", "to_pickle", "load_model", "unsafe_load", "full_load"}
CALLS |= {"__import__", "CDLL", "LoadLibrary"}
# What a rendered notebook may show without being trusted: no JavaScript, no widgets.
SHOWN = {"text/plain", "text/markdown", "text/html", "image/png", "image/svg+xml"}
SCRIPT = re.compile(r"<\s*(script|iframe|object|embed)\b|\bon[a-z]+\s*=\s*[\"']|javascript:", re.IGNORECASE)


def unsafe(tree: ast.Module) -> Iterator[int]:
    """Lines of a module that could run code out of a file: executable formats, `np.load` and YAML without care."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]}
            if {alias.name for alias in node.names} <= PROCESSES:
                names -= {"joblib"}
        else:
            names = set()
        if names & MODULES:
            yield node.lineno
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = getattr(getattr(node.func, "value", None), "id", "")
        if called in CALLS and (owner, called) not in {("re", "compile"), ("model", "compile")}:
            yield node.lineno
        allowed = [k.value for k in node.keywords if k.arg == "allow_pickle"]
        if any(not (isinstance(value, ast.Constant) and value.value is False) for value in allowed):
            yield node.lineno
        if (owner, called) in {("np", "load"), ("numpy", "load")} and not allowed:
            yield node.lineno
        if owner == "yaml" and called.startswith("load"):
            yield node.lineno


def scripts(notebook: Path) -> list[str]:
    """What in a rendered notebook needs trust: other kinds of output than `SHOWN`, scripts in HTML, SVG or Markdown."""
    found = []
    for number, cell in enumerate(json.loads(notebook.read_text("utf-8"))["cells"], start=1):
        texts = ["".join(cell["source"])] if cell["cell_type"] == "markdown" else []
        for output in cell.get("outputs", []):
            shown = output.get("data", {})
            found += [f"cell {number} shows {kind}" for kind in shown if kind not in SHOWN]
            texts += ["".join(shown[kind]) for kind in ("text/html", "text/markdown", "image/svg+xml") if kind in shown]
        found += [f"cell {number} has {match[0]!r}" for text in texts if (match := SCRIPT.search(text))]
    return found


def pinned(lock: Path) -> tuple[int, list[str]]:
    """How many packages a lock file pins, and those without an exact version and a hash."""
    blocks = [b for b in lock.read_text("utf-8").replace("\\\n", " ").splitlines() if b and not b.startswith("#")]
    loose = [b.split()[0] for b in blocks if "==" not in b or "--hash=sha256:" not in b]
    return len(blocks), loose
