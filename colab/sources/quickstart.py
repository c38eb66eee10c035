# %% [markdown]
# # vidjax in five minutes
#
# This notebook makes videos of moving figures, trains a small 3D ResNet on them, scores it on
# videos that it has not seen, names the action in one of them, and shows where the network looked.
# It takes two minutes on a CPU. On a GPU or TPU it uses more videos and more classes (Runtime →
# Change runtime type).

# %%
import jax

LARGE = jax.default_backend() != "cpu"
print(jax.devices())

# %% [markdown]
# ## Look at the videos
#
# vidjax comes with a generator of videos, so nothing has to be downloaded. The files are ordinary
# H.264. Performer, clothes, camera and background change from video to video. Look at the first two
# rows: sitting down and standing up show the same poses in the opposite order. No single frame
# tells them apart, so a network must look at time.

# %%
import matplotlib.pyplot as plt

from vidjax.data.marionette import CLASSES, contact_sheet, render_video

SHOWN = ("sit_down", "stand_up", "wave_slowly", "jump")
plt.figure(figsize=(12, 6))
plt.imshow(contact_sheet([render_video(label) for label in SHOWN], SHOWN))
plt.axis("off")
print(len(CLASSES), "classes:", ", ".join(CLASSES))

# %% [markdown]
# ## Train
#
# `demo` is one of the configurations that come with vidjax; `vidjax config` lists them. Any setting
# can be changed. Here a CPU gets four of the sixteen classes. The last line of the log says where
# the time went.

# %%
from pathlib import Path

from vidjax.configs import demo
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

config = demo.get_config()
if not LARGE:
    config.data.options.classes = SHOWN
    config.data.options.train_per_class = 64
    config.train.duration = "24 epochs"
config.every.log = "20 steps"
outcome = train(from_mapping(config), Path("runs/quickstart"))

# %% [markdown]
# ## Score
#
# The training ended with an evaluation: every test video, in three clips and three crops each,
# whose scores are averaged. The run's folder has the scores, the predictions and this picture. A
# row is what a video shows, a column is what the network said.

# %%
import json

report = max(Path("runs/quickstart/eval").glob("*.json"), key=lambda file: file.stat().st_mtime)
scores = json.loads(report.read_text())
chance = 1 / len(scores["per_class"])
print(f"top-1 {scores['top1']:.1%} of {scores['videos']} videos; chance is {chance:.1%}")
plt.figure(figsize=(7, 7))
plt.imshow(plt.imread(report.with_name(f"{report.stem}-confusion.png")))
plt.axis("off")
plt.show()

# %% [markdown]
# ## Name the action in a video
#
# `open_run` opens a trained network with its preprocessing and the names of its classes. Give
# `predict` a video of yours and it does the same.

# %%
import vidjax

run = vidjax.open_run("runs/quickstart")
video = next(Path("data").rglob("test/sit_down/*.mp4"))
print(video.name)
for action, probability in run.predict(video):
    print(f"{probability:7.2%}  {action}")

# %% [markdown]
# ## See where the network looked
#
# A Saliency Tube shows where in space and time the network found evidence for a class: the
# brighter, the more. You would want it to look at the limbs that move, not at the wall.

# %%
from vidjax.explain.colours import overlay
from vidjax.trained.clip_explanation import open_clip

clip = open_clip(run, video)
tube = vidjax.explain.saliency_tube(run.model, run.variables, clip.clip, tau=0.5)
figure, axes = plt.subplots(2, 6, figsize=(12, 4.2))
for column, time in enumerate(range(0, len(clip.frames), len(clip.frames) // 6 + 1)):
    axes[0, column].imshow(clip.frames[time])
    axes[1, column].imshow(overlay(clip.frames[time], tube.volume[time]))
for axis in axes.flat:
    axis.axis("off")
figure.suptitle(f"evidence for {run.labels[tube.class_index]}")
figure.tight_layout()

# %% [markdown]
# ## Where to go next
#
# `own_videos` trains on videos of yours, and `published_weights` starts from what others have
# trained. `tubes_and_pyramids` says more about the picture above.
