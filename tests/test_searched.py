"""What searches with real trainings came to, as a second table of the benchmark, and the surrogate that knows it."""

import gzip
import json
import math
import pickle

import numpy as np
import pandas as pd
import pytest

from helpers import benchmark, contest, datasheet, paths, searched, surrogate
from helpers.benchmark import FOLDER, BenchmarkError
from helpers.entrants import ENTRANTS
from helpers.problems import Measurement, Problem
from helpers.space import SPACES, LstmConfig, UnitCube, config_from_params, lstm_space
from helpers.surrogate import Process, Surrogate

CLOSES = "c" * 64


class Law(Problem):
    """Measured at once: deep networks fail, wide ones are good; every seed has a factor of its own."""

    reuse = True

    def __init__(self, closes=CLOSES):
        super().__init__("generator", "described", identity={"data_sha256": closes, "epochs": 10, "engine": "fast"})

    def opened(self):
        import contextlib

        def measure(config, seed):
            if config.layers == 10:
                return Measurement(math.nan, 1.0, "it is too deep")
            return Measurement(law(config) * (1 + seed), 2.0 * config.layers)

        return contextlib.nullcontext(measure)


def law(config):
    return 10.0 ** (-2 - 0.1 * config.units)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Searches of three tuners with the last seed that counts and the first that does not."""
    folder = tmp_path_factory.mktemp("studies")
    path = contest.records_path(folder, Law())
    seeds = (searched.SEEDS - 1, searched.SEEDS)
    contest.hold(path, Law(), ["tpe", "random", "gan"], seeds, evaluations=12, jobs=1, progress=False)
    return folder


@pytest.fixture(scope="module")
def folder(studies, tmp_path_factory):
    """A benchmark of 60 drawn configurations under the same law, and the searches beside it."""
    folder = tmp_path_factory.mktemp("benchmark")
    rows = []
    for index in range(60):
        config = benchmark.configuration("generator", index)
        ok = config.layers < 10
        row = dict.fromkeys(benchmark.COLUMNS, 1.0) | config.as_dict()
        row |= {"protocol": "described", "index": index, "repeat": 0, "seed": index, "epochs": 10, "engine": "fast"}
        row |= {"status": "ok" if ok else "failed", "reason": "", "data_sha256": CLOSES}
        rows.append(row | {"mse": law(config) if ok else math.nan, "cpu_seconds": 2.0 * config.layers})
    benchmark.write_table(
        pd.DataFrame(rows, columns=list(benchmark.COLUMNS)), benchmark.table_path("generator", folder)
    )
    searched.pack("generator", studies, folder)
    return folder


def test_a_configuration_and_a_seed_are_one_row_that_names_all_who_tried_it(studies, folder):
    frame = searched.table("generator", "described", folder=folder)
    assert tuple(frame.columns) == searched.COLUMNS and set(frame["seed"]) == {searched.SEEDS - 1}
    config = [*LstmConfig.__dataclass_fields__]
    assert not frame.duplicated([*config, "seed"]).any()
    # TPE's first ten evaluations are those of random search: rows that both tried, in the contest's order.
    both = frame[frame["tuners"] == "random tpe"]
    assert len(both) >= 9
    assert set(frame["tuners"]) <= {"random", "tpe", "gan", "random tpe"}
    for row in frame.to_dict("records"):
        c = LstmConfig(**{name: row[name] for name in config})
        assert row["status"] == ("failed" if c.layers == 10 else "ok")
        expected = math.nan if c.layers == 10 else law(c) * searched.SEEDS
        assert row["mse"] == pytest.approx(expected, rel=1e-5, nan_ok=True)
        assert row["cpu_seconds"] == (1.0 if c.layers == 10 else 2.0 * c.layers)
        assert (row["epochs"], row["engine"], row["data_sha256"]) == (10, "fast", CLOSES)
    tried = contest.read(contest.records_path(studies, Law()))
    assert len(frame) < sum(len(run) for (_, seed), run in tried.items() if seed < searched.SEEDS)


def test_gathered_again_it_is_the_same_to_the_byte(studies, folder, tmp_path):
    again = searched.pack("generator", studies, tmp_path)
    assert again.read_bytes() == searched.table_path("generator", folder).read_bytes()


def test_what_cannot_be_gathered_is_one_sentence(tmp_path, folder, caplog):
    with pytest.raises(BenchmarkError, match="holds no contest with real trainings in the space 'gan'"):
        searched.pack("gan", tmp_path, tmp_path)
    assert not searched.table_path("gan", tmp_path).exists()
    with pytest.raises(BenchmarkError, match=r"no gan_searched.csv.gz: make it with `python -m helpers.searched`"):
        searched.table("gan", folder=tmp_path)
    with pytest.raises(BenchmarkError, match="no trainings under the protocol 'clean'"):
        searched.table("generator", "clean", folder=folder)
    (tmp_path / "contest_gan_clean.jsonl").write_text('{"problem": 1\n')
    with pytest.raises(BenchmarkError, match=r"contest_gan_clean.jsonl"):
        searched.pack("gan", tmp_path, tmp_path)
    with pytest.raises(contest.ContestError, match="does not say what was searched"):
        contest.about(tmp_path / "contest_gan_clean.jsonl")
    written = ["--space", "gan", "--output", str(tmp_path / "build")]
    assert searched.main([*written, "--folder", str(tmp_path)]) == 1
    assert caplog.messages[-1] == "full/ holds no contest with real trainings in the space 'gan'."


def test_the_command_gathers_the_committed_records(tmp_path, caplog):
    assert searched.main(["--folder", str(tmp_path)]) == 0
    for space in SPACES:
        made, committed = (gzip.decompress(searched.table_path(space, f).read_bytes()) for f in (tmp_path, FOLDER))
        assert made == committed, "gather them again: python -m helpers.searched"
    (tmp_path / "file").write_text("")
    assert searched.main(["--space", "gan", "--folder", str(tmp_path / "file")]) == 1
    assert "use a --folder that can be written" in caplog.text


def test_a_family_is_a_tuner_with_its_variants():
    assert {t for t in ENTRANTS if searched.family(t) == "generator"} == {
        "generator",
        *(f"generator_{feedback}" for feedback in ("product", "reinforce", "shuffled", "zero")),
    }
    column = ["gan", "gan_blind random", "random", "", "tpe gan"]
    assert searched.by_family(column, "gan").tolist() == [True, True, False, False, True]
    assert searched.by_family(column, "gan_blind").tolist() == [True, True, False, False, True]
    assert searched.by_family(column, "random").tolist() == [False, True, True, False, False]


def test_every_variant_that_is_reported_is_of_its_tuners_family():
    from helpers.contest_report import ABLATIONS

    assert all(searched.family(whole) == searched.family(without) for whole, without in ABLATIONS)


# The surrogate that knows them.


def test_a_process_without_measurements_is_one_that_never_knew_them():
    rng = np.random.default_rng(0)
    x = rng.random((50, 2))
    y = np.sin(5 * x[:, 0]) + x[:, 1] + rng.normal(0, 0.05, 50)
    process, gone = Process(x, y), np.arange(50) >= 30
    part = process.without(gone)
    gram = part.amplitude * np.array([[_kernel(part, a - b) for b in x[:30]] for a in x[:30]])
    weights = np.linalg.solve(gram + part.noise * np.eye(30), part.values)
    for u in rng.random((5, 2)):
        near = part.amplitude * np.array([_kernel(part, u - a) for a in x[:30]])
        assert part.at(u) == pytest.approx(part.mean + part.spread * near @ weights, abs=1e-8)
    assert (part.amplitude, part.noise, part.mean) == (process.amplitude, process.noise, process.mean)
    assert len(process.points) == 50 and process.at(x[0]) == pytest.approx(Process(x, y).at(x[0]), abs=0)
    nothing = process.without(np.zeros(50, bool))
    assert [nothing.at(u) for u in x[:5]] == pytest.approx([process.at(u) for u in x[:5]], abs=1e-8)
    # What travels to other processes is not the square of what is known, and draws the same.
    drawn = process.draw(3).at(x[0])
    assert len(pickle.dumps(process)) < 50 * 50 * 8
    arrived = pickle.loads(pickle.dumps(process))
    assert arrived.draw(3).at(x[0]) == drawn
    # One that arrives again finds the factor that was made; one that knows less, or has another noise, its own.
    assert arrived.factor is process.factor is not part.factor
    arrived.noise *= 2
    assert not np.allclose(np.tril(arrived.factor[0]), np.tril(process.factor[0]))


def _kernel(process, difference):
    r = math.sqrt(float(((difference * process.scales) ** 2).sum()))
    return (1 + r + r * r / 3) * math.exp(-r)


def test_a_surrogate_that_knows_searches_knows_them_and_may_leave_a_tuners_out(folder):
    drawn, knows = (Surrogate("generator", searched=s, folder=folder) for s in (False, True))
    frame = searched.table("generator", "described", folder=folder)
    assert (drawn.trainings, knows.trainings) == (60, 60 + len(frame))
    good = frame[(frame["status"] == "ok") & (frame["tuners"] == "gan")]
    configs = [LstmConfig(**{n: row[n] for n in LstmConfig.__dataclass_fields__}) for row in good.to_dict("records")]
    # The searches' seed makes errors ten times as large as the drawn ones: who knows them says more.
    far = [np.abs(np.log10([s.mse(c) for c in configs]) - np.log10(good["mse"])).mean() for s in (drawn, knows)]
    assert far[1] < 0.7 * far[0]
    told = knows.deviations(configs, good["mse"])
    untold = knows.deviations(configs, good["mse"], without="gan_blind")
    others = knows.deviations(configs, good["mse"], without="hybrid")
    assert (others == told).all(), "it never searched"
    assert np.abs(untold).mean() > np.abs(told).mean()
    assert (drawn.deviations(configs, good["mse"], without="gan") == drawn.deviations(configs, good["mse"])).all()
    assert knows.drawn(1).mse(configs[0]) == Surrogate("generator", searched=True, folder=folder).drawn(1).mse(
        configs[0]
    )
    trees = Surrogate("generator", model="trees", searched=True, folder=folder)
    alone = Surrogate("generator", model="trees", folder=folder)
    assert any(trees.mse(c) != alone.mse(c) for c in configs)
    # Failures of searches count as well.
    cube = UnitCube(lstm_space("generator"))
    deep = config_from_params({**cube.decode(np.full(len(cube), 0.5)), "layers": 10})
    assert knows.failure(deep) > 0.3


def test_searches_on_other_closes_are_refused(folder, tmp_path):
    path = contest.records_path(tmp_path, Law("d" * 64))
    contest.hold(path, Law("d" * 64), ["random"], [0], evaluations=3, jobs=1, progress=False)
    searched.pack("generator", tmp_path, tmp_path)
    table = benchmark.table("generator", folder=folder)
    benchmark.write_table(table, benchmark.table_path("generator", tmp_path))
    with pytest.raises(BenchmarkError, match=r"are on other closes \(dddddddddddd instead of cccccccccccc\)"):
        Surrogate("generator", searched=True, folder=tmp_path)
    Surrogate("generator", folder=tmp_path)


def test_what_is_foretold_knows_no_search_of_the_tuner_that_is_asked_about(folder, monkeypatch):
    asked = []
    ours = Process.deviations

    def noting(self, u, y):
        asked.append((len(self.points), len(u)))
        return ours(self, u, y)

    monkeypatch.setattr(Process, "deviations", noting)
    found = surrogate.foretell("generator", folder=folder).set_index("known")
    frame = searched.table("generator", "described", folder=folder).query("status == 'ok'")
    fitted = len(benchmark.table("generator", "described", folder=folder).query("status == 'ok'"))
    own = [int(searched.by_family(frame["tuners"], t).sum()) for t in ("random", "tpe", "gan")]
    assert sorted(asked[:3]) == sorted((fitted, n) for n in own)
    assert sorted(asked[3:]) == sorted((fitted + len(frame) - n, n) for n in own)
    assert found.loc["searched", "rmse"] < found.loc["drawn", "rmse"]
    # All errors of searches are ten times those drawn: one decade that only the other tuners' searches can tell.
    assert found.loc["drawn", "bias"] == pytest.approx(1.0, abs=0.25)
    assert found.loc["searched", "bias"] < 0.7
    assert (found["n"] == len(frame)).all() and found["spearman"].between(-1, 1).all()


# What is committed.


def test_the_committed_searches_are_those_of_the_contests():
    for space, name, part in datasheet.tried():
        records = contest.trained_path(paths.outputs("").studies("full"), space, name)
        runs = contest.read(records)
        assert set(part["seed"]) <= set(range(searched.SEEDS))
        first = next(run for (tuner, seed), run in runs.items() if (tuner, seed) == ("random", 0))
        mine = part[(part["seed"] == 0) & searched.by_family(part["tuners"], "random")]
        assert sorted(mine["mse"].dropna()) == pytest.approx(sorted(m for m in first.mse if math.isfinite(m)), rel=1e-5)
        assert searched.table_path(space).stat().st_size < 2**20
    assert json.loads(records.open().readline())["problem"]["data_sha256"] == part["data_sha256"].iloc[0]


def test_the_page_tells_of_the_searches(folder):
    page = datasheet.write(folder).read_text("utf-8")
    frame = searched.table("generator", folder=folder)
    failed = (frame["status"] == "failed").sum()
    assert f"| generator | described | {len(frame)} | {failed} | 1 | {frame['mse'].min():.2g} |" in page
    told = pd.read_csv(folder / datasheet.FORETOLD)
    assert told["known"].tolist() == ["drawn", "searched"]
    assert f"| generator | described | random table | {told['n'][0]} | {told['spearman'][0]:.2f} |" in page
    assert all(f"| `{column}` |" in page for column in searched.COLUMNS)
