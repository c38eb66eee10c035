# %% [markdown]
# # Train on your own videos
#
# You have a folder with a subfolder of videos for each class. This notebook checks the files, shows
# what the network will see, trains a network, scores it, and compares it with a second one. It uses
# the commands that you would type in a terminal.

# %% [markdown]
# ## The videos
#
# Set `VIDEOS` to your folder; with Google Drive mounted it is something like
# `/content/drive/MyDrive/videos`. If you leave it empty, the next cell makes 96 videos of four
# actions, and adds two broken files.

# %%
VIDEOS = ""

# %%
from pathlib import Path

if not VIDEOS:
    from vidjax.data.marionette import MarionetteSpec, generate

    actions = ("jump", "sit_down", "stand_up", "wave_slowly")
    made = MarionetteSpec(train_per_class=18, test_per_class=6, classes=actions)
    generate(Path("my videos"), made)
    VIDEOS = "my videos/videos"
    whole = Path(VIDEOS, "train/jump/jump_0000.mp4").read_bytes()
    Path(VIDEOS, "train/jump/cut_off.mp4").write_bytes(whole[: len(whole) // 2])
    Path(VIDEOS, "train/jump/empty.mp4").write_bytes(b"")
for folder in sorted(Path(VIDEOS).glob("**/")):
    count = sum(1 for file in folder.iterdir() if file.is_file())
    if count:
        print(f"{count:4d} files in {folder}")

# %% [markdown]
# A folder that holds `train` and `test` keeps that split. Without these two, one fifth of each
# class becomes the test set. A CSV with the columns `path,label,split` works too, and may say more,
# for example which videos show the same person.
#
# ## Check the files
#
# Broken files are common in collections of videos. `check_videos` decodes every file, and says
# which are bad, and why. Training skips bad files anyway, and says so; a run stops only if there
# are many.

# %%
# !vidjax check_videos "{VIDEOS}" --output=verdicts.csv

# %% [markdown]
# ## See what the network will see
#
# Each row is a clip of a batch, after decoding, cropping and augmentation. If the action is cut off
# here, the network cannot learn it. Then use larger crops (`--config.augment.scale`) or clips that
# span more time (`--config.clip.stride`). `--config.data.verdicts` leaves out the bad files by
# name.

# %%
import subprocess
import sys

# Asked in another process: JAX takes a GPU's memory, which the commands below need.
ASKED = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
LARGE = "cpu" not in subprocess.run(ASKED, capture_output=True, text=True, check=True).stdout
# Small clips and a small network, so that a CPU is enough.
SIZE, EPOCHS, WIDTH = (112, 60, 64) if LARGE else (48, 20, 16)
FOLDER = (
    f"--config=folder:width={WIDTH} --config.data.manifest='{VIDEOS}' "
    f"--config.data.verdicts=verdicts.csv --config.clip.size={SIZE} --config.eval.size={SIZE} "
    f"--config.data.short_side={SIZE + 8}"
)

# %%
Path("batch.png").unlink(missing_ok=True)
# !vidjax contact_sheet {FOLDER} --output=batch.png

# %%
from IPython.display import Image, display

display(Image("batch.png"))

# %% [markdown]
# ## Train, and score
#
# The first start decodes the videos once, into a form from which training reads single frames. If
# you interrupt the cell and run it again, the run goes on where it stopped. The evaluation averages
# several clips and crops of each test video.

# %%
# !vidjax train {FOLDER} --config.train.duration="{EPOCHS} epochs" --workdir=runs/mine

# %%
# !vidjax evaluate --workdir=runs/mine --config.eval.clips=3

# %% [markdown]
# Which classes does it confuse? A row is what a video shows, a column is what the network said.

# %%
newest = max(Path("runs/mine/eval").glob("*-confusion.png"), key=lambda file: file.stat().st_mtime)
display(Image(str(newest), width=500))

# %% [markdown]
# ## Name what happens in a video
#
# Set `VIDEO` to any file. If you leave it empty, it is the first video of the evaluation above.
# `--explain --output=seen` would also draw where the network looked; the notebook
# `tubes_and_pyramids` is about that.

# %%
VIDEO = ""

# %%
import csv

if not VIDEO:
    predictions = newest.with_name(newest.name.replace("-confusion.png", "-predictions.csv"))
    first = next(csv.DictReader(predictions.read_text("utf-8").splitlines()))
    folder = Path(VIDEOS) if Path(VIDEOS).is_dir() else Path(VIDEOS).parent
    VIDEO = folder / first["video"]
    print(f"{first['video']} shows {first['label']}")
# !vidjax predict --workdir=runs/mine --video="{VIDEO}"

# %% [markdown]
# ## Compare two runs
#
# Is a change an improvement, or chance? Train a second network that differs in one setting. Here it
# sees one repeated frame per clip, so it cannot see motion. `compare` runs McNemar's test on the
# videos on which the two differ. With few test videos, p is large even for a real difference.

# %%
# !vidjax train {FOLDER} --config.clip.sampling=still --config.train.duration="{EPOCHS} epochs" \
#     --workdir=runs/still

# %%
# !vidjax compare runs/mine runs/still

# %% [markdown]
# ## Where to go next
#
# Few videos? Start from published weights, which helps more than anything else: see the notebook
# `published_weights`. The guide "Your own videos" in the documentation says what happens to
# rotated, truncated and odd files.
