from pathlib import Path

import pytest

from distillnerf_core.configuration import parse_config
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.model.options import ModelOptions
from distillnerf_core.model.reference.variants import VARIANTS


def test_the_defaults_are_the_published_ones() -> None:
    config = VARIANTS["reference-linear"]
    assert config.with_options(ModelOptions()) == config
    assert ModelOptions().clip_folder_path is None
    assert ModelOptions().clip_compression_path is None


def test_size_and_precision_reach_the_prior() -> None:
    prior = VARIANTS["reference-clip"].with_options(ModelOptions(prior_size=252, dtype="bfloat16")).prior
    assert (prior.short_side_px, prior.precision) == (252, "bfloat16")


def test_a_size_that_is_no_whole_number_of_patches_names_the_next() -> None:
    with pytest.raises(ConfigurationError, match=r"prior_size.*multiple of 14.*try 252"):
        parse_config({"prior_size": 256}, ModelOptions)


def test_paths_may_begin_at_home() -> None:
    assert ModelOptions(clip_folder="~/clip").clip_folder_path == Path.home() / "clip"
