# %% [markdown]
# # Published weights: predict, features, fine-tune
#
# Others have trained large video networks and published the weights. vidjax knows more than a
# hundred of their checkpoints by name. This notebook names the action in a video with I3D of
# Kinetics-400, uses its features to tell new actions apart, and trains a new classifier on top of
# it.

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
if published := network.scores:
    print(f"published: top-1 {published.top1} %, top-5 {published.top5} % ({published.protocol})")
print("preprocessing:")
for setting, value in network.preprocessing.facts.items():
    print(f"  {setting:12s} {value}")

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

from vidjax.data.marionette import MarionetteSpec, contact_sheet, generate, render_video

ACTIONS = ("jump", "sit_down", "walk", "wave_both_hands")
PER_CLASS = 40 if LARGE else 10
made = MarionetteSpec(train_per_class=PER_CLASS, test_per_class=PER_CLASS // 2, classes=ACTIONS)
VIDEOS = generate(Path("figures"), made).parent / "videos"
plt.figure(figsize=(12, 6))
plt.imshow(contact_sheet([render_video(action) for action in ACTIONS], ACTIONS))
plt.axis("off")
plt.show()

# %% [markdown]
# `vidjax.clips` gives batches of clips that are decoded as training decodes them. Without
# normalisation they are bytes, which `network.features` takes: it normalises them as the weights
# were trained. In a terminal, `vidjax features` does this for any number of videos and writes a
# file.

# %%
import numpy as np

SIZE = 224 if LARGE else 112
CLIPS = {
    "clip": {"frames": 16, "stride": 2, "size": SIZE, "fit": True},
    "data": {"short_side": SIZE + 16},
    "eval": {"clips": 1, "crops": 1, "size": SIZE, "short_side": SIZE + 16, "batch_size": 4},
}


def described(split):
    """Features float32 [N, C] and labels [N] of the videos of a split."""
    found, labels = [], []
    data = vidjax.clips(VIDEOS, split, training=False, normalized=False, **CLIPS)
    for batch in data:
        seen = batch["mask"]
        found.append(np.asarray(network.features(batch["clip"]))[seen])
        labels.extend(data.classes[label] for label in batch["label"][seen])
    return np.concatenate(found), np.array(labels)


train_features, train_labels = described("train")
test_features, test_labels = described("test")
print("training", train_features.shape, "test", test_features.shape)

# %% [markdown]
# A linear probe is a logistic regression on the features of the training videos. Its accuracy on
# the test videos says how much the frozen network knows about these actions. The picture shows the
# two directions along which the features vary most.

# %%
parts = (train_features, train_labels, test_features, test_labels)
probe = vidjax.evaluation.linear_probe(*parts)
neighbours = vidjax.evaluation.knn(*parts, k=5)
print(f"linear probe {probe.top1:.1%}, nearest neighbours {neighbours.top1:.1%}, chance 25 %")

every = np.concatenate([train_features, test_features])
names = np.concatenate([train_labels, test_labels])
centred = every - every.mean(axis=0)
_, _, directions = np.linalg.svd(centred, full_matrices=False)
places = centred @ directions[:2].T
plt.figure(figsize=(6, 5))
for action in ACTIONS:
    plt.scatter(*places[names == action].T, label=action)
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
# any run. In a terminal it is `vidjax train --config=finetune:weights=i3d:kinetics400,part=head`.

# %%
from vidjax.configs import finetune
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

config = finetune.get_config(f"weights={NETWORK}:{PATH or TAG},part=head")
config.data.manifest = str(VIDEOS)
config.clip.size = config.eval.size = SIZE
config.data.short_side = config.eval.short_side = SIZE + 16
config.eval.crops = 1
config.train.duration = "20 epochs" if LARGE else "4 epochs"
config.every.log = "2 steps"
outcome = train(from_mapping(config), Path("runs/tuned"))

# %%
tuned = vidjax.open_run("runs/tuned")
for video in sorted(VIDEOS.glob("test/*/*_0000.mp4")):
    (action, probability), *_ = tuned.predict(video)
    print(f"{video.parent.name:16s} was called {action} ({probability:.0%})")

# %% [markdown]
# ## Where to go next
#
# The guide "Published weights" has scores that we measured on real videos, says which files of
# PyTorch can be read, and what such a file does not say about itself.
