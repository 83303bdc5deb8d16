"""Every folder of the repository, named once."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PARAMS = NOTEBOOKS / "params"
HELPERS = ROOT / "helpers"
DATA = ROOT / "data"
RAW = DATA / "raw"
PUBLISHED = DATA / "published"

# Errors of a disk that is full or failing, and of a folder that cannot be written.
UNWRITABLE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
        *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    }
)


@dataclass(frozen=True)
class Outputs:
    """Where one run writes: the repository itself, or a folder of the same shape elsewhere (smoke runs, tests).

    Parameters
    ----------
    root : pathlib.Path
        Folder that holds `figures/`, `data/studies/` and `notebooks/rendered/`.
    """

    root: Path

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    @property
    def tables(self) -> Path:
        return self.figures / "tables"

    @property
    def rendered(self) -> Path:
        return self.root / "notebooks" / "rendered"

    def studies(self, profile: str) -> Path:
        """Journals of one profile; those of the profile `full` are committed."""
        return self.root / "data" / "studies" / profile


def outputs(root: str | Path = "") -> Outputs:
    """`Outputs` under `root`; the empty string means the repository. Relative paths count from the repository."""
    return Outputs(ROOT / root)
