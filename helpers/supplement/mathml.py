"""LaTeX formulas of notebooks as MathML: browsers draw it themselves, so that a page needs no network and no script.

A small part of LaTeX: letters, numbers, operators, Greek, sub- and superscripts, fractions, roots, accents, text,
function names, stretched brackets, and `aligned`, `cases` and matrices.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

LETTERS = {
    **dict(
        zip("alpha beta gamma delta zeta eta theta iota kappa lambda mu nu xi".split(), "αβγδζηθικλμνξ", strict=True)
    ),
    **dict(zip("pi rho sigma tau upsilon chi psi omega".split(), "πρστυχψω", strict=True)),
    **dict(zip("Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega".split(), "ΓΔΘΛΞΠΣΦΨΩ", strict=True)),
    **{"epsilon": "ϵ", "varepsilon": "ε", "phi": "ϕ", "varphi": "φ", "ell": "ℓ", "infty": "∞", "partial": "∂"},
    **{"nabla": "∇", "emptyset": "∅", "hbar": "ℏ", "ldots": "…", "dots": "…", "cdots": "⋯", "vdots": "⋮"},
}
OPERATORS = {
    **{"cdot": "⋅", "times": "×", "pm": "±", "mp": "∓", "div": "÷", "ast": "∗", "star": "⋆", "circ": "∘"},
    **{"odot": "⊙", "otimes": "⊗", "oplus": "⊕", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠"},
    **{"ll": "≪", "gg": "≫", "approx": "≈", "sim": "∼", "simeq": "≃", "equiv": "≡", "propto": "∝", "in": "∈"},
    **{"subset": "⊂", "subseteq": "⊆", "cup": "∪", "cap": "∩", "setminus": "∖", "to": "→", "mapsto": "↦"},
    **{"rightarrow": "→", "leftarrow": "←", "Rightarrow": "⇒", "Leftrightarrow": "⇔", "forall": "∀", "exists": "∃"},
    **{"mid": "∣", "|": "‖", "Vert": "‖", "vert": "|", "{": "{", "}": "}", "%": "%", "_": "_", "&": "&", "#": "#"},
    **{"langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "prime": "′", "$": "$"},
}
LARGE = {"sum": "∑", "prod": "∏", "int": "∫"}
LIMITS = ("lim", "max", "min", "sup", "inf", "argmax", "argmin")
FUNCTIONS = ("log", "ln", "exp", "sin", "cos", "tan", "tanh", "sinh", "cosh", "det", "dim", "Pr", "arg", *LIMITS)
ACCENTS = {
    "hat": "^",
    "widehat": "^",
    "bar": "¯",
    "overline": "¯",
    "tilde": "~",
    "widetilde": "~",
    "vec": "→",
    "dot": "˙",
}
SPACES = {",": 0.17, ":": 0.22, ";": 0.28, " ": 0.33, "!": -0.17, "quad": 1, "qquad": 2}
FONTS = {"mathrm": "normal", "mathbf": "bold", "boldsymbol": "bold-italic", "mathit": "italic"}
LETTERFORMS = {
    "mathbb": dict(zip("NZQRCPE", "ℕℤℚℝℂℙ𝔼", strict=True)),
    "mathcal": dict(zip("LNDFO", "ℒ𝒩𝒟ℱ𝒪", strict=True)),
}
TABLES = {"aligned": "right left", "align": "right left", "align*": "right left", "cases": "left left"}
BRACKETS = {"cases": ("{", ""), "pmatrix": ("(", ")"), "bmatrix": ("[", "]")}

_TOKEN = re.compile(r"\\([A-Za-z]+|.)|(\d+(?:[.,]\d+)*)|(\s+)|(.)", re.DOTALL)


class MathError(ValueError):
    """A formula that cannot be drawn; the message names what it uses."""


def convert(latex: str, *, block: bool = False) -> str:
    """`latex`, without its dollar signs, as a MathML element.

    Parameters
    ----------
    latex : str
    block : bool
        On a line of its own.

    Raises
    ------
    MathError
        For a command that is not known, or brackets that do not match.
    """
    reader = _Reader(latex)
    body = reader.row(until=None)
    display = ' display="block"' if block else ""
    source = f'<annotation encoding="application/x-tex">{escape(" ".join(latex.split()))}</annotation>'
    return f"<math{display}><semantics>{body}{source}</semantics></math>"


class _Reader:
    """Reads tokens from the left; each method returns the MathML of what it has read."""

    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.tokens = [
            ("command", m[1]) if m[1] else ("number", m[2]) if m[2] else ("space", m[3]) if m[3] else ("sign", m[4])
            for m in _TOKEN.finditer(latex.replace("\\\\", "\\\n"))
        ]
        self.place = 0

    def peek(self) -> tuple[str, str]:
        while self.place < len(self.tokens) and self.tokens[self.place][0] == "space":
            self.place += 1
        return self.tokens[self.place] if self.place < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.place += 1
        return token

    def fail(self, why: str) -> MathError:
        return MathError(f"The formula ${self.latex.strip()}$ {why}.")

    def row(self, until: tuple[str, str] | None) -> str:
        """Everything up to the token `until`, which is read too."""
        parts: list[str] = []
        while (token := self.peek()) != until:
            if token[0] == "end":
                if until is None:
                    break
                raise self.fail(f"lacks a {until[1]}")
            parts.append(self.scripted())
        if until is not None:
            self.take()
        return f"<mrow>{''.join(parts)}</mrow>"

    def scripted(self) -> str:
        """One atom with its sub- and superscript."""
        large = self.peek()
        over = large[0] == "command" and (large[1] in LIMITS or large[1] in ("sum", "prod"))
        base = self.atom()
        scripts: dict[str, str] = {}
        while (token := self.peek()) in (("sign", "_"), ("sign", "^"), ("sign", "'")):
            self.take()
            if token[1] == "'":
                scripts["^"] = scripts.get("^", "") + "<mo>′</mo>"
            elif token[1] in scripts:
                raise self.fail(f"has two {token[1]} in a row")
            else:
                scripts[token[1]] = self.atom()
        below, above = scripts.get("_"), scripts.get("^")
        if above is not None and above.count("′") > 1:
            above = f"<mrow>{above}</mrow>"
        names = ("munderover", "munder", "mover") if over else ("msubsup", "msub", "msup")
        if below is not None and above is not None:
            return f"<{names[0]}>{base}{below}{above}</{names[0]}>"
        if below is not None:
            return f"<{names[1]}>{base}{below}</{names[1]}>"
        return f"<{names[2]}>{base}{above}</{names[2]}>" if above is not None else base

    def atom(self) -> str:
        kind, text = self.take()
        if kind == "end":
            raise self.fail("ends too early")
        if kind == "command":
            return self.command(text)
        if kind == "number":
            return f"<mn>{text}</mn>"
        if text == "{":
            return self.row(("sign", "}"))
        if text in "}&":
            raise self.fail(f"has a {text} too many")
        if text == "~":
            return '<mspace width="0.33em"/>'
        return f"<mi>{escape(text)}</mi>" if text.isalpha() else f"<mo>{escape(text.replace('-', '−'))}</mo>"

    def command(self, name: str) -> str:
        made: dict[str, Callable[[], str]] = {
            "frac": lambda: f"<mfrac>{self.atom()}{self.atom()}</mfrac>",
            "sqrt": self.root,
            "text": lambda: f"<mtext>{escape(self.words())}</mtext>",
            "operatorname": lambda: f"<mi>{escape(self.words())}</mi>",
            "left": self.stretched,
            "begin": self.environment,
        }
        made |= {"tfrac": made["frac"], "dfrac": made["frac"], "textrm": made["text"]}
        if name in made:
            return made[name]()
        if name in LETTERS:
            return f"<mi>{LETTERS[name]}</mi>"
        if name in OPERATORS:
            return f"<mo>{escape(OPERATORS[name])}</mo>"
        if name in LARGE:
            return f'<mo largeop="true">{LARGE[name]}</mo>'
        if name in FUNCTIONS:
            return f"<mi>{name.replace('arg', 'arg ').strip()}</mi>"
        if name in SPACES:
            return f'<mspace width="{SPACES[name]}em"/>'
        if name in ACCENTS:
            return f'<mover accent="true">{self.atom()}<mo>{ACCENTS[name]}</mo></mover>'
        if name in FONTS:
            return f'<mi mathvariant="{FONTS[name]}">{escape(self.words())}</mi>'
        if name in LETTERFORMS:
            letter = self.words()
            return f"<mi>{LETTERFORMS[name].get(letter, escape(letter))}</mi>"
        raise self.fail(f"uses \\{name.strip()}, which the supplement does not draw")

    def words(self) -> str:
        """The characters between braces, as they are."""
        if self.take() != ("sign", "{"):
            raise self.fail("lacks a { after a font or text")
        found = []
        while self.place < len(self.tokens):
            kind, text = self.tokens[self.place]
            self.place += 1
            if (kind, text) == ("sign", "}"):
                return "".join(found)
            found.append(OPERATORS.get(text, LETTERS.get(text, " ")) if kind == "command" else text)
        raise self.fail("lacks a }")

    def root(self) -> str:
        if self.peek() == ("sign", "["):
            self.take()
            degree = self.row(("sign", "]"))
            return f"<mroot>{self.atom()}{degree}</mroot>"
        return f"<msqrt>{self.atom()}</msqrt>"

    def stretched(self) -> str:
        first = self.bracket()
        inside = self.row(("command", "right"))
        return f"<mrow>{first}{inside}{self.bracket()}</mrow>"

    def bracket(self) -> str:
        kind, text = self.take()
        sign = "" if text == "." else OPERATORS.get(text, text) if kind == "command" else text
        return f'<mo stretchy="true">{escape(sign)}</mo>' if sign else ""

    def environment(self) -> str:
        name = self.words()
        if name not in TABLES and name not in BRACKETS:
            known = ", ".join({**TABLES, **BRACKETS})
            raise self.fail(f"uses the environment {name}; known are {known}")
        rows, cell = [[]], []
        while True:
            token = self.peek()
            if token[0] == "end":
                raise self.fail(f"lacks \\end{{{name}}}")
            if token in (("sign", "&"), ("command", "\n"), ("command", "end")):
                self.take()
                rows[-1].append(f"<mtd><mrow>{''.join(cell)}</mrow></mtd>")
                cell = []
                if token[1] == "end":
                    self.words()
                    break
                if token[1] == "\n":
                    rows.append([])
            else:
                cell.append(self.scripted())
        align = f' columnalign="{TABLES[name]}"' if name in TABLES else ""
        body = "".join(f"<mtr>{''.join(row)}</mtr>" for row in rows)
        table = f"<mtable{align}>{body}</mtable>"
        first, last = BRACKETS.get(name, ("", ""))
        marks = [f'<mo stretchy="true">{mark}</mo>' if mark else "" for mark in (first, last)]
        return f"<mrow>{marks[0]}{table}{marks[1]}</mrow>"
