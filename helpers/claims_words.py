"""The judged claims as a table, as the README's short form, and in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from helpers import replication
from helpers.claims import CLAIMS, UNJUDGED, VERDICTS, Judgement, overall, rests_on_rows, unlike_rates
from helpers.evidence import PRINTED, Evidence

CHRONOLOGICAL = ("described", "clean")
_NAMES: Mapping[str, str] = {"generator": "table 8", "bayesian": "table 9", "gan": "appendix B"}


def table(judged: Mapping[str, Mapping[str, Judgement]]) -> pd.DataFrame:
    """The claims in full: one row a claim and basis; `over all` stands on the first row of each claim."""
    rows = []
    for claim in CLAIMS:
        for i, (basis, judgement) in enumerate(judged.get(claim.key, {}).items()):
            kind, _, protocol = basis.partition(":")
            note = f" ({judgement.reason})" if judgement.reason and judgement.parts else ""
            rows.append(
                {
                    "paper": claim.paper if i == 0 else "",
                    "claim": claim.text if i == 0 else "",
                    "place": claim.place if i == 0 else "",
                    "basis": f"{kind}, {protocol}" if protocol else kind,
                    "statistic": judgement.text + note,
                    "verdict": judgement.verdict,
                    "over all": overall(judged[claim.key]) if i == 0 else "",
                    "figure": claim.figure if i == 0 else "",
                }
            )
    return pd.DataFrame(rows)


def short_markdown(judged: Mapping[str, Mapping[str, Judgement]], *, figures: str = "figures") -> str:
    """The short form, as Markdown: claim, place, verdict as printed, under each protocol, over all, link to the figure.

    A claim that holds on the rows alone is marked behind its text; what was never trained has a dash.

    Parameters
    ----------
    judged : mapping
        From `verdicts`.
    figures : str
        The folder of the figures, as a link from where the text will stand.
    """
    protocols = list(dict.fromkeys(b.partition(":")[2] for j in judged.values() for b in j if ":" in b))
    lines = [
        f"| Claim | Where | As printed | {' | '.join(p.capitalize() for p in protocols)} | Verdict |",
        "| --- | --- |" + " --- |" * (len(protocols) + 2),
    ]
    for claim in CLAIMS:
        if claim.key not in judged:
            continue
        found = judged[claim.key]
        printed = found[PRINTED].verdict if PRINTED in found else "–"
        cells = []
        for p in protocols:
            mine = {b.partition(":")[0]: j for b, j in found.items() if b.endswith(f":{p}")}
            said = {b: j.verdict if j.parts or j.verdict != UNJUDGED else "–" for b, j in mine.items()}
            unlike = len(set(said.values())) > 1
            cells.append("; ".join(f"{k}: {v}" for k, v in said.items()) if unlike else next(iter(said.values()), "–"))
        # Items of notebooks 02 to 05 exist once a protocol; those of 06 and 07 once.
        item = claim.figure if claim.figure.startswith(("R-", "B-")) else f"{claim.figure}_{protocols[0]}"
        file = f"tables/{item}.md" if "-tab" in item else f"{item}.png"
        link = f"[{claim.text}]({figures}/{file})" + (" (rows alone)" if rests_on_rows(found) else "")
        lines.append(
            f"| {link} | {claim.paper} {claim.place} | {printed} | {' | '.join(cells)} | **{overall(found)}** |"
        )
    return "\n".join(lines) + "\n"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def rates_in_words(evidence: Evidence, protocols: Sequence[str], *, tables: Sequence[str] = replication.TABLES) -> str:
    """Under which learning rates each table's rows are judged: a part of a sentence."""
    chosen = evidence.tenfold(protocols, tables)
    said: dict[str, list[str]] = {}  # what is said -> of which protocols
    for protocol, of in chosen.items():
        parts = []
        for tenfold, words in ((True, "tenfold"), (False, "as printed")):
            names = [_NAMES[one] for one, is_tenfold in of.items() if is_tenfold == tenfold]
            parts += [f"{words} for {_listed(names)}"] if names else []
        said.setdefault(", ".join(parts), []).append(f"`{protocol}`")
    return "; ".join(f"{words} (under {_listed(where)})" for words, where in said.items()) or "none were trained"


def unlike_rates_in_words(evidence: Evidence, protocols: Sequence[str]) -> str:
    """A warning where rows of table 8 and of table 9, which claims compare, have different rates; else empty."""
    unlike = [f"`{p}`" for p in protocols if unlike_rates(evidence, p)]
    if not unlike:
        return ""
    return (
        f"So where rows of table 8 stand beside rows of table 9 (under {_listed(unlike)}), one side has ten times the "
        "printed learning rates and the other has not. Comparisons of their errors are therefore judged with equal "
        "rates as well, both as printed and both tenfold, and have a verdict only if it is the same each time."
    )


def counts(judged: Mapping[str, Mapping[str, Judgement]]) -> dict[str, int]:
    """How many claims got each verdict over all, in the order of `VERDICTS`."""
    said = [overall(j) for j in judged.values()]
    return {verdict: said.count(verdict) for verdict in VERDICTS}


def changed_by_clean(judged: Mapping[str, Mapping[str, Judgement]]) -> list[tuple[str, str, str]]:
    """Claims whose verdict on the replayed rows differs between `described` and `clean`: text, described, clean."""
    found = []
    for claim in CLAIMS:
        j = judged.get(claim.key, {})
        pair = [j.get(f"rows:{p}") for p in CHRONOLOGICAL]
        if all(pair) and pair[0].verdict != pair[1].verdict and UNJUDGED not in (pair[0].verdict, pair[1].verdict):
            found.append((claim.text, pair[0].verdict, pair[1].verdict))
    return found
