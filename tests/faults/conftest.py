"""Fixtures: a finished run, which tests damage or open."""

import pytest

from configs import synthetic
from vidjax.run.config import from_mapping
from vidjax.training import loop


@pytest.fixture(scope="session")
def tiny_config():
    """The smallest network of the family, because these tests mostly wait for compilation."""
    config = synthetic.get_config()
    config.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    config.data.options = {"num_classes": 3, "videos": 12, "frames": 6, "size": 20}
    config.data.threads = 1
    config.clip.update({"frames": 2, "stride": 1, "size": 16})
    config.eval.update({"size": 16, "batch_size": 8})
    config.train.update({"duration": "6 steps", "batch_size": 8})
    config.every.update({"log": "2 steps", "checkpoint": "3 steps", "evaluate": "6 steps"})
    return from_mapping(config)


@pytest.fixture(scope="session")
def tiny_run(tiny_config, tmp_path_factory):
    """Returns its work directory; tests that change it use a copy."""
    workdir = tmp_path_factory.mktemp("tiny") / "run"
    loop.train(tiny_config, workdir)
    return workdir
