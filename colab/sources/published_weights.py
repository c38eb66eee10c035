# %% [markdown]
# # Published weights: predict, features, fine-tune
#
# Others have trained large video networks and published the weights. vidjax knows 139 of their
# checkpoints by name. This notebook names the action in a video with I3D of Kinetics-400, uses its
# features to tell new actions apart, and trains a new classifier on top of it.

# %%
import jax

import vidjax

LARGE = jax.default_backend() != "cpu"
print(len(vidjax.list_pretrained()), "checkpoints, among them")
print("\n".join(vidjax.list_pretrained("*x3d*") + vidjax.list_pretrained("i3d:*")))

# %% [markdown]
# ## Open the weights
#
# The file, 50 MB, is downloaded once and kept. Have you got it already? Set `PATH` to it. Every
# checkpoint comes with its licence and with the preprocessing of its project, since a wrong frame
# rate or order of colours costs accuracy without any error.

# %%
NETWORK, TAG = "i3d", "kinetics400"
PATH = None

# %%
network = vidjax.load_pretrained(NETWORK, TAG, path=PATH)
print(network.source, "·", network.licence)
print("published scores:", network.scores)
print("preprocessing:", network.preprocessing)

# %% [markdown]
# ## Predict a video
#
# Set `VIDEO` to a file of yours, or to an address. This one is a test file of MMAction2
# (Apache-2.0).

# %%
VIDEO = "https://raw.githubusercontent.com/open-mmlab/mmaction2/main/demo/demo.mp4"

# %%
import urllib.request

if VIDEO.startswith("https://"):
    VIDEO, _ = urllib.request.urlretrieve(VIDEO, "video.mp4")
for action, probability in network.predict(VIDEO):
    print(f"{probability:7.2%}  {action}")

# %% [markdown]
# Where did it look? The tube shows the evidence for the first of these classes.

# %%
import matplotlib.pyplot as plt

from vidjax.explain.colours import overlay
from vidjax.trained.clip_explanation import open_clip

clip = open_clip(network, VIDEO)
tube = vidjax.explain.saliency_tube(network.model, network.variables, clip.clip, tau=0.5)
figure, axes = plt.subplots(2, 5, figsize=(12, 5.2))
for column in range(5):
    time = column * (len(clip.frames) - 1) // 4
    axes[0, column].imshow(clip.frames[time])
    axes[0, column].set_title(f"{clip.times[time]:.1f} s")
    axes[1, column].imshow(overlay(clip.frames[time], tube.volume[time]))
for axis in axes.flat:
    axis.axis("off")
figure.suptitle(f"evidence for {network.labels[tube.class_index]}")
figure.tight_layout()

# %% [markdown]
# ## Features
#
# The input of the classifier is a short description of a clip: for I3D, 1,024 numbers. Videos with
# similar actions have similar features, even for actions that the network has never been trained
# on. To see that we need a small data set; these are generated figures, unlike anything in
# Kinetics.

# %%
from pathlib import Path

from vidjax.data.marionette import MarionetteSpec, generate

ACTIONS = ("jump", "sit_down", "walk", "wave_both_hands")
PER_CLASS = 40 if LARGE else 10
made = MarionetteSpec(train_per_class=PER_CLASS, test_per_class=PER_CLASS // 2, classes=ACTIONS)
VIDEOS = str(generate(Path("figures"), made).parent / "videos")
WEIGHTS = f"{NETWORK}:{PATH or TAG}"
SIZE = 224 if LARGE else 112

# %%
# !vidjax features --weights={WEIGHTS} --config.data.manifest={VIDEOS} --config.clip.frames=16 \
#     --config.eval.size={SIZE} --output=features.npz

# %% [markdown]
# A linear probe is a logistic regression on the features of the training videos. Its accuracy on
# the test videos says how much the frozen network knows about these actions. The picture shows the
# two directions along which the features vary most.

# %%
import numpy as np

table = vidjax.read_features("features.npz")
train, test = table.of_split("train"), table.of_split("test")
probe = vidjax.evaluation.linear_probe(train.features, train.label, test.features, test.label)
neighbours = vidjax.evaluation.knn(train.features, train.label, test.features, test.label, k=5)
print(f"linear probe {probe.top1:.1%}, nearest neighbours {neighbours.top1:.1%}, chance 25 %")

centred = table.features - table.features.mean(axis=0)
_, _, directions = np.linalg.svd(centred, full_matrices=False)
places = centred @ directions[:2].T
plt.figure(figsize=(6, 5))
for action in ACTIONS:
    plt.scatter(*places[table.label == action].T, label=action)
plt.xlabel("first principal direction")
plt.ylabel("second principal direction")
plt.legend()
plt.show()

# %% [markdown]
# ## Fine-tune
#
# `part=head` trains a new classifier on the frozen network, with augmentation. `part=all` trains
# every layer, which needs more videos and more time. With few videos the head is often the better
# choice. This is ordinary training: the run's folder, the evaluation and every command work as for
# any run.

# %%
EPOCHS = 20 if LARGE else 4
# !vidjax train --config=finetune:weights={WEIGHTS},part=head --config.data.manifest={VIDEOS} \
#     --config.train.duration="{EPOCHS} epochs" --config.every.log="2 steps" \
#     --config.eval.crops=1 --workdir=runs/tuned

# %%
tuned = vidjax.open_run("runs/tuned")
for video in sorted(Path(VIDEOS).rglob("test/*/*_0000.mp4")):
    (action, probability), *_ = tuned.predict(video)
    print(f"{video.parent.name:16s} was called {action} ({probability:.0%})")

# %% [markdown]
# ## Where to go next
#
# The guide "Published weights" has scores that we measured on real videos, says which files of
# PyTorch can be read, and what such a file does not say about itself.
