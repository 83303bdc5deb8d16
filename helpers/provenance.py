"""Where a result comes from: commit, code, versions, machine, seeds and data, stamped on every study and notebook.

A stamp travels with committed records, so it names neither the machine's host nor any folder of it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import logging
import platform
import subprocess
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from helpers import paths

logger = logging.getLogger(__name__)

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "numba",
    "optuna",
    "bayesian-optimization",
    "scikit-learn",
    "pandas",
    "matplotlib",
    "yfinance",
)
_parsing = threading.Lock()  # Python 3.11's parser is not safe to call from two threads
_SOURCES = ("helpers", "notebooks")  # what a result depends on; rendered notebooks are results themselves


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_hash(*entries: str | Path, root: Path = paths.ROOT) -> str:
    """Hash of the code that `entries` run: their own and that of every `helpers` module they import, transitively.

    Comments, docstrings and formatting do not count, nor does the version of Python; what the code does does. Imports
    inside functions count as well.

    Parameters
    ----------
    *entries : path
        Modules, or notebooks as percent scripts.
    root : pathlib.Path
        The folder that holds `helpers/`.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    ValueError
        If an entry does not exist or is no Python.
    """
    files: dict[Path, str] = {}
    waiting = [Path(entry).resolve() for entry in entries]
    while waiting:
        path = waiting.pop()
        if path in files:
            continue
        files[path], imports = _read(path)
        waiting += _imported_helpers(imports, path, root)
    # Files are told apart by their code and their name, not by where the repository lies.
    parts = sorted(f"{path.name}\n{written}" for path, written in files.items())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


Imports = tuple[tuple[int, str, tuple[str, ...]], ...]  # dots, module, names: of "import module" 0 and no names


def _read(path: Path) -> tuple[str, Imports]:
    """What a file does, as text, and what it imports."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        # A notebook's lines for IPython ("%matplotlib inline", "!ls") are no Python.
        return _understood("\n".join("" if line.startswith(("%", "!")) else line for line in lines))
    except OSError:
        raise ValueError(f"No code file {path.name}: a code hash needs existing Python files.") from None
    except SyntaxError as error:
        raise ValueError(f"{path.name}, line {error.lineno}: {error.msg}.") from None


@functools.lru_cache(maxsize=256)  # every figure of a notebook asks for its code, some forty files
def _understood(source: str) -> tuple[str, Imports]:
    with _parsing:
        tree = ast.parse(source)
    imports: list[tuple[int, str, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))
    return _written(_without_docstrings(tree)), tuple(imports)


def _written(node: Any) -> str:
    """A syntax tree as text, the same from every version of Python: `ast.dump`'s has fields that came with a version.

    What is empty is left out, as what a later version added is wherever the code does not use it; pieces of an f-string
    that stand side by side are one piece, as in later versions.
    """
    if isinstance(node, ast.JoinedStr):
        pieces: list[Any] = []
        for value in node.values:
            text = value.value if isinstance(value, ast.Constant) else None
            if text is not None and pieces and isinstance(pieces[-1], str):
                pieces[-1] += text
            elif text != "":
                pieces.append(value if text is None else text)
        return f"JoinedStr({','.join(map(_written, pieces))})"
    if isinstance(node, ast.AST):
        given = ((name, getattr(node, name, None)) for name in sorted(node._fields))
        fields = [f"{name}={_written(value)}" for name, value in given if value is not None and value != []]
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_written, node))}]"
    return repr(node)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree


def _imported_helpers(imports: Imports, path: Path, root: Path) -> list[Path]:
    names: set[str] = set()
    for level, module, taken in imports:
        if level:  # "from . import x": relative to the package that holds this file
            package = path.parents[level - 1]
            if not package.is_relative_to(root.resolve()):
                continue
            module = ".".join((*package.relative_to(root.resolve()).parts, *filter(None, [module])))
        # "from helpers import windows" imports a module, "from helpers.windows import Dataset" a name of one.
        names |= {module} | {f"{module}.{name}" for name in taken}
    found = []
    for name in names:
        parts = name.split(".")
        if parts[0] != "helpers":
            continue
        # Importing helpers.a.b runs helpers/__init__.py and helpers/a/__init__.py as well.
        for depth in range(1, len(parts) + 1):
            stem = root.joinpath(*parts[:depth])
            found += [file.resolve() for file in (stem / "__init__.py", stem.with_suffix(".py")) if file.is_file()]
    return found


def commit(root: Path = paths.ROOT) -> str:
    """The commit of the sources, 12 digits, with "+" when helpers/ or notebooks/ differ from it; "" without git.

    A copy that lies in another repository has none either.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    head = _git(root, "rev-parse", "--short=12", "HEAD")
    if not head or Path(top).resolve() != Path(root).resolve():
        return ""
    changed = _git(root, "status", "--porcelain", "--", *_SOURCES, ":(exclude)notebooks/rendered")
    return head + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):  # no git, or no such folder
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def versions() -> dict[str, str]:
    """Installed version of each package that a number depends on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def machine() -> dict[str, Any]:
    """Kind of machine: processor, cores this process may use, memory in GB, system. No host name."""
    import psutil

    return {
        "cpu": _processor(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def cores() -> int:
    """Cores that this process may use: its affinity and a container's quota leave it often fewer than there are."""
    from joblib import cpu_count

    return cpu_count()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        logger.debug("This system has no /proc/cpuinfo.")
    return platform.processor() or platform.machine()


def stamp(
    *,
    data_sha256: str = "",
    seeds: Iterable[int] = (),
    entries: Iterable[str | Path] = (),
    profile: str = "",
    protocol: str = "",
) -> dict[str, Any]:
    """What a result was made with, ready for JSON.

    Parameters
    ----------
    data_sha256 : str
        Hash of the closes used.
    seeds : iterable of int
    entries : iterable of path
        Code files whose hash is stamped, see `code_hash`.
    profile, protocol : str
        Names of the profile and the protocol, where the result has one.

    Returns
    -------
    dict
        commit, code_hash, data_sha256, protocol, profile, seeds, python, packages, machine, utc.
    """
    entries = list(entries)
    return {
        "commit": commit(),
        "code_hash": code_hash(*entries) if entries else "",
        "data_sha256": data_sha256,
        "protocol": protocol,
        "profile": profile,
        "seeds": [int(seed) for seed in seeds],
        "python": platform.python_version(),
        "packages": versions(),
        "machine": machine(),
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def stamp_markdown(stamp: dict[str, Any]) -> str:
    """A stamp as a Markdown table of two columns, for the last cell of a notebook."""
    machine = stamp["machine"]
    rows = {
        "Made": stamp["utc"],
        "Commit": stamp["commit"] or "not under git",
        "Code": stamp["code_hash"],
        "Data (SHA-256)": stamp["data_sha256"],
        "Protocol": stamp["protocol"],
        "Profile": stamp["profile"],
        "Seeds": ", ".join(str(seed) for seed in stamp["seeds"]),
        "Python": stamp["python"],
        "Packages": ", ".join(f"{name} {version}" for name, version in stamp["packages"].items()),
        "Machine": f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items() if value)])
