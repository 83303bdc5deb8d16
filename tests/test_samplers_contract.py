"""Optuna's own contract for samplers, over every sampler of ours."""

import warnings
from functools import partial

import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase

from helpers.samplers import BayesianSampler, GanSampler, GeneratorSampler, HybridSampler

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)

SAMPLERS = {
    "generator": partial(GeneratorSampler, seed=0),
    "generator-product": partial(GeneratorSampler, seed=0, feedback="product", scaling="clip"),
    "generator-reinforce": partial(GeneratorSampler, seed=0, feedback="reinforce", transform="rank"),
    "generator-shuffled": partial(GeneratorSampler, seed=0, feedback="shuffled", transform="minmax"),
    "gan": partial(GanSampler, seed=0),
    "gan-without-discriminator": partial(GanSampler, seed=0, discriminator=False),
    "hybrid": partial(HybridSampler, seed=0),
    "hybrid-soon": partial(HybridSampler, seed=0, init_points=2),
    "generator-unseeded": GeneratorSampler,
}


@pytest.fixture(params=SAMPLERS, scope="module")
def make(request):
    return SAMPLERS[request.param]


class TestBasic(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self, make):
        return make


class TestRelative(RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self, make):
        return make


class TestSingleObjective(SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self, make):
        return make


@pytest.fixture(params=["paper", "warped"], scope="module")
def make_bayesian(request):
    return partial(BayesianSampler, seed=0, ranges=request.param)


class TestBayesianBasic(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self, make_bayesian):
        return make_bayesian


class TestBayesianRelative(RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self, make_bayesian):
        return partial(make_bayesian, init_points=1)


class TestBayesianSingleObjective(SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self, make_bayesian):
        return make_bayesian
