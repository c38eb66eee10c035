"""The package that docs/extending.md writes is found, counted, trained and explained."""

import re
import tomllib

import pytest

from tests.commands import run_code, run_command
from tests.distributions import installed
from tests.documentation.pages import ROOT
from tests.videos import numbered_frames, write_video


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder in which the package is installed."""
    text = (ROOT / "docs/extending.md").read_text()
    _, _, text = text.partition("## A network, step by step")
    blocks = dict(re.findall(r"^```(toml|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    project = tomllib.loads(blocks["toml"])["project"]
    site = tmp_path_factory.mktemp("site")
    (site / "my_package").mkdir()
    (site / "my_package/__init__.py").touch()
    (site / "my_package/my_net.py").write_text(blocks["python"])
    return str(installed(site, project["name"], project["entry-points"]))


def test_the_network_has_its_options_and_the_stated_costs(site):
    done = run_command("vidjax", "options", "my_net", site=site)
    assert done.returncode == 0, done.stderr
    assert "channels of the first convolution (a whole number in [1, 1024])" in " ".join(
        done.stdout.split()
    )
    counted = run_code(
        f"import sys; sys.path.insert(0, {site!r}); import vidjax; vidjax.plugins.refresh()\n"
        "model = vidjax.create_model('my_net', num_classes=400)\n"
        "cost, card = vidjax.count_cost(model, (16, 112, 112)), vidjax.model_card('my_net')\n"
        "assert (cost.params, cost.macs) == (card.params, card.macs), cost"
    )
    assert counted.returncode == 0, counted.stderr


@pytest.mark.slow
def test_the_network_is_trained_and_explained(site, tmp_path):
    for label, shade in (("dark", 0.3), ("light", 1.0)):
        for number in range(5):
            frames = (numbered_frames(10 + number) * shade).astype("uint8")
            video = write_video(tmp_path / "videos" / label / f"{number}.mp4", frames)
    run = f"--workdir={tmp_path / 'run'}"
    trained = run_command(
        "vidjax", "train", "--config=folder:model=my_net", run,
        f"--config.data.manifest={tmp_path / 'videos'}", f"--config.data.data_dir={tmp_path}",
        "--config.train.duration=2 steps", "--config.eval.crops=1", "--config.clip.size=32",
        "--config.eval.size=32", "--config.train.batch_size=4", site=site,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    explained = run_command(
        "vidjax", "explain", run, f"--video={video}", "--method=tubes",
        f"--output={tmp_path / 'seen'}", site=site,
    )  # fmt: skip
    assert explained.returncode == 0, explained.stderr
    assert (tmp_path / "seen/tubes.html").exists()
