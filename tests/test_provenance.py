"""The stamp: code hashes follow the code alone, commits show changes, nothing names the machine or its folders."""

import hashlib
import json
import platform
import shutil
import subprocess

import pytest

from helpers import paths, provenance


@pytest.fixture
def project(tmp_path):
    """A small repository: an entry imports helpers.a, helpers.a imports helpers.b inside a function."""
    package = tmp_path / "helpers"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "sub" / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from helpers import b\n    return b.VALUE\n")
    (package / "b.py").write_text("from .sub import c\nVALUE = 1\n")
    (package / "sub" / "c.py").write_text("DEPTH = 1\n")
    (package / "unused.py").write_text("X = 1\n")
    entry = tmp_path / "entry.py"
    entry.write_text("# %% [markdown]\n# # Title\n\n# %%\nimport helpers.a\nx = helpers.a.f()\n")
    return tmp_path, entry


def test_file_sha256_of_known_bytes(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    # The test vector of FIPS 180-2.
    assert provenance.file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_code_hash_is_stable_and_short(project):
    root, entry = project
    first = provenance.code_hash(entry, root=root)
    assert len(first) == 16 and int(first, 16) >= 0
    assert provenance.code_hash(entry, root=root) == first


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "helpers/a.py",
            '"""Said."""\n\ndef f():\n    """Why."""\n    from helpers import b  # lazily\n\n    return (b.VALUE)\n',
        ),
        (
            "entry.py",
            "# %% [markdown]\n# # Another title\n# %%\n%matplotlib inline\nimport helpers.a\nx = helpers.a.f()\n",
        ),
        ("helpers/unused.py", "X = 2\n"),
    ],
)
def test_code_hash_ignores_what_does_not_run(project, name, text):
    root, entry = project
    before = provenance.code_hash(entry, root=root)
    (root / name).write_text(text)
    assert provenance.code_hash(entry, root=root) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("entry.py", "import helpers.a\nx = helpers.a.f() + 1\n"),
        ("helpers/a.py", "def f():\n    from helpers import b\n    return -b.VALUE\n"),
        ("helpers/b.py", "from .sub import c\nVALUE = 2\n"),
        ("helpers/sub/c.py", "DEPTH = 2\n"),
        ("helpers/sub/__init__.py", "import json\n"),
    ],
)
def test_code_hash_sees_a_change_anywhere_below(project, name, text):
    root, entry = project
    before = provenance.code_hash(entry, root=root)
    (root / name).write_text(text)
    assert provenance.code_hash(entry, root=root) != before


def test_code_hash_is_the_same_from_every_version_of_python(tmp_path):
    """Later versions add fields to the tree (type parameters), leave empty ones out, join the pieces of f-strings."""
    entry = tmp_path / "entry.py"
    entry.write_text(
        "class A:\n    def f(self, x: int = 1) -> str:\n        g()\n        return f'{x:>{x}} a' f'b {x!r}' 'c'\n\n\n"
        "async def h(*a, **k):\n    return [i async for i in a if i], {**k}, lambda: (yield)\n"
    )
    assert provenance.code_hash(entry, root=tmp_path) == "42f5c48f0eaa0d04"


def test_code_hash_does_not_depend_on_the_folder(project, tmp_path_factory):
    root, entry = project
    other = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(root, other)
    assert provenance.code_hash(other / "entry.py", root=other) == provenance.code_hash(entry, root=root)


def test_code_hash_refuses_what_it_cannot_read(tmp_path):
    with pytest.raises(ValueError, match=r"missing\.py"):
        provenance.code_hash(tmp_path / "missing.py")
    (tmp_path / "broken.py").write_text("x = (\n")
    with pytest.raises(ValueError, match=r"broken\.py, line 1"):
        provenance.code_hash(tmp_path / "broken.py")


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_commit_marks_changed_sources_and_only_those(project):
    root, _ = project
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")
    clean = provenance.commit(root)
    assert len(clean) == 12 and int(clean, 16) >= 0
    (root / "README.md").write_text("text")
    assert provenance.commit(root) == clean
    (root / "helpers" / "new.py").write_text("x = 1\n")
    assert provenance.commit(root) == clean + "+"
    assert provenance.commit(root / "helpers") == "", "a folder in a repository of something else"


def test_commit_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) == ""  # no repository
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit(paths.ROOT) == ""  # no git


def test_stamp_holds_everything_and_nothing_private():
    digest = hashlib.sha256(b"closes").hexdigest()
    made = provenance.stamp(
        data_sha256=digest, seeds=(1, 2), entries=[paths.HELPERS / "space.py"], profile="smoke", protocol="described"
    )
    text = json.dumps(made)
    assert made["seeds"] == [1, 2] and made["data_sha256"] == digest and made["protocol"] == "described"
    assert made["python"] == platform.python_version()
    assert made["packages"]["numpy"] not in ("", "absent")
    assert made["machine"]["cores"] >= 1 and made["machine"]["memory_gb"] > 0
    assert str(paths.ROOT) not in text and str(paths.ROOT.home()) + "/" not in text
    assert json.dumps(platform.node()) not in text


def test_stamp_markdown_shows_the_values():
    made = provenance.stamp(seeds=[7], entries=[paths.HELPERS / "space.py"])
    text = provenance.stamp_markdown(made)
    assert text.startswith("| | |\n|---|---|\n")
    assert made["code_hash"] in text and made["packages"]["keras"] in text and "| Seeds | 7 |" in text
    assert "Profile" not in text  # what is empty is left out


def test_what_differs_in_rendered_notebooks_alone_is_no_change_of_the_code(tmp_path):
    import subprocess

    from helpers import provenance

    def git(*a):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@e.org", *a], cwd=tmp_path, check=True, capture_output=True
        )

    (tmp_path / "notebooks" / "rendered").mkdir(parents=True)
    page = tmp_path / "notebooks" / "rendered" / "x.ipynb"
    page.write_text("{}")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    page.write_text("{} ")
    assert not provenance.commit(tmp_path).endswith("+")
    (tmp_path / "notebooks" / "x.py").write_text("1\n")
    assert provenance.commit(tmp_path).endswith("+")


def test_what_a_module_imports_from_the_package_above_counts(tmp_path):
    (tmp_path / "helpers" / "sub").mkdir(parents=True)
    sources = {"__init__.py": "", "b.py": "V = 1\n", "sub/__init__.py": "", "sub/c.py": "from ..b import V\n"}
    for name, text in sources.items():
        (tmp_path / "helpers" / name).write_text(text)
    entry = tmp_path / "entry.py"
    entry.write_text("import helpers.sub.c\n")
    before = provenance.code_hash(entry, root=tmp_path)
    (tmp_path / "helpers" / "b.py").write_text("V = 2\n")
    assert provenance.code_hash(entry, root=tmp_path) != before
