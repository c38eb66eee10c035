# %% [markdown]
# # Temporal gates (SRTG) and multi-temporal convolutions (MTConv)
#
# Chapters 4 and 5 of [A. Stergiou's thesis](https://arxiv.org/abs/2110.02120), *Efficient Modelling
# Across Time of Human Actions and Interactions*, Utrecht University, 2021.
#
# Both are about time. A temporal gate multiplies features by what a recurrent network has seen in
# the whole clip, if the two agree. A multi-temporal convolution computes some channels on half of
# the frames, so that they see twice as far.

# %% [markdown]
# ## The gate
#
# *Squeeze*: each frame becomes the mean of its features. *Recursion*: an LSTM runs over the frames.
# *Gate*: the features are multiplied by the LSTM's states, but only if frames and states find each
# other. Frame by frame, the nearest state must be that of the same frame, and the other way round.
#
# Below are distances between the frames of a clip and three sequences of states. In the first every
# frame is nearest to its own state: the gate is open. In the second the states are reversed, in the
# third they are all alike, as those of an untrained LSTM nearly are. Then the gate is shut, and the
# clip passes unchanged.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from vidjax.methods.temporal_gates import consistent, distances

time = jnp.linspace(0, jnp.pi, 8)[:, None]
frames = 3 * jnp.cos(time + jnp.arange(6))[None]
states = {
    "alike": frames + 0.1,
    "reversed": frames[:, ::-1],
    "all the same": 0.01 * frames,
}
figure, axes = plt.subplots(1, 3, figsize=(11, 3.4))
for axis, (name, given) in zip(axes, states.items(), strict=True):
    opened = bool((consistent(frames, given) & consistent(given, frames))[0])
    axis.imshow(distances(frames, given)[0], cmap="viridis_r")
    axis.set_title(f"{name}: {'open' if opened else 'shut'}")
    axis.set_xlabel("state")
axes[0].set_ylabel("frame")
plt.show()

# %% [markdown]
# ## Train gates
#
# A gate that is shut gives its LSTM no gradient, so it may stay shut for ever. vidjax has three
# schedules: always fuse (`gate="none"`, what the published code trains), test from the first step
# (`gate="hard"`), or fuse for some steps and then test (`gate_warmup_steps`). This run takes the
# last one, and logs which gates are open, and which would be (`matched`).

# %%
import json
from pathlib import Path

import vidjax
from vidjax.configs import demo
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

LARGE = jax.default_backend() != "cpu"


def configured(network, **options):
    config = demo.get_config()
    config.model.name = network
    config.model.options = {"width": 16, "depths": (1, 1, 1, 1), **options}
    config.optimizer.update({"name": "adamw", "lr": 0.002})
    if not LARGE:
        config.data.options.classes = ("jump", "kick", "sit_down", "stand_up")
        config.data.options.train_per_class = 24
        config.train.duration = "12 epochs"
    config.every.log = "4 steps"
    return config


config = configured("r3d_18", srtg="res", gate="hard", gate_warmup_steps=40)
outcome = train(from_mapping(config), Path("runs/gates"))

# %%
lines = [json.loads(line) for line in Path("runs/gates/metrics.jsonl").read_text().splitlines()]
figure, axes = plt.subplots(1, 2, figsize=(11, 3.4), sharey=True)
for axis, reading in zip(axes, ("open", "matched"), strict=True):
    for gate in sorted({key for line in lines for key in line if key.startswith(reading)}):
        seen = [(line["step"], line[gate]) for line in lines if gate in line]
        axis.plot(*zip(*seen, strict=True), label=gate.partition("/")[2])
    axis.set_title(reading)
    axis.set_xlabel("step")
axes[0].set_ylabel("share of the clips")
axes[0].legend()
plt.show()

# %% [markdown]
# All gates are open during the warm-up. Then those that do not match shut. The last stages have few
# frames, and with a single frame a gate is always open. In our runs at this size most gates over
# several frames stay shut. The thesis trains 150 epochs of half a million clips; what its gates do
# after that, a run of a minute cannot show.
#
# ## Choosing frames
#
# A multi-temporal convolution gives most channels to a *local* branch at full size, and the rest to
# a *prolonged* branch at half the size, on half of the frames. Which half? Those that are least
# like their neighbours. The similarity is the cosine of the frames' mean features, and a frame's
# redundancy is the sum over both neighbours. The first and the last frame have one neighbour, and
# are never chosen. Here colours stand in for features. Frames with a green edge are kept: expect
# those in which something moves.

# %%
from vidjax.data.marionette import render_video
from vidjax.layers.temporal_frame_selection import redundancy, temporal_frame_selection

video = render_video("sit_down")
clip = video[np.linspace(0, len(video) - 1, 12).astype(int)]
# What differs from the mean of the clip, in 8 x 8 blocks: a stand-in for features of a network.
small = clip[:, :96, :128].reshape(12, 12, 8, 16, 8, 3).mean(axis=(2, 4)).reshape(1, 12, 1, 1, -1)
features = jnp.asarray(small - small.mean(axis=1, keepdims=True), jnp.float32)
_, chosen = temporal_frame_selection(features)
figure, axes = plt.subplots(2, 6, figsize=(13, 3.8))
for number, axis in enumerate(axes.flat):
    axis.imshow(clip[number])
    axis.set(xticks=[], yticks=[], title=f"frame {number}")
    kept = number in chosen[0]
    for spine in axis.spines.values():
        spine.set(color="limegreen" if kept else "none", linewidth=5)
figure.tight_layout()
print("redundancy of frames 1 to 10:", *(f"{value:.2f}" for value in redundancy(features)[0]))

# %% [markdown]
# ## What it saves
#
# δ is the share of the local branch. The smaller it is, the more channels are computed at half the
# size and half of the frames. `count_cost` counts multiply-adds without computing anything. MTNets
# are networks made of such convolutions.

# %%
shares = (1.0, 7 / 8, 3 / 4, 1 / 2, 1 / 4)
cost = [
    vidjax.count_cost(vidjax.create_model("mtnet_s", delta=share), (16, 112, 112))
    for share in shares
]
figure, axes = plt.subplots(1, 2, figsize=(11, 3.4))
axes[0].plot(shares, [each.macs / 1e9 for each in cost], "o-")
axes[0].set(xlabel="δ", ylabel="multiply-adds per clip, G", title="mtnet_s, 16x112x112")
names = ("mtnet_s", "mtnet_m", "mtnet_l", "r3d_50", "slowfast_50")
cards = [vidjax.model_card(name) for name in names]
axes[1].barh(names, [card.macs / 1e9 for card in cards])
axes[1].set(xlabel="multiply-adds per clip of its own size, G")
figure.tight_layout()

# %% [markdown]
# ## Train a network of MTConvs
#
# Any residual network takes them in place of its 3 × 3 × 3 convolutions.

# %%
outcome = train(from_mapping(configured("r3d_18", multi_temporal={})), Path("runs/mtconv"))
for name in ("gates", "mtconv"):
    lines = [
        json.loads(line) for line in Path("runs", name, "metrics.jsonl").read_text().splitlines()
    ]
    *_, tested = [line["top1"] for line in lines if line["split"].startswith("test")]
    print(f"{name:7s} top-1 {tested:.1%} of the test videos")

# %% [markdown]
# Do not read a comparison into two short runs. The page "Temporal gates and MTConvs" of the
# documentation has ours, with five seeds each: MTConvs were as accurate as 3D convolutions at fewer
# operations. Gates after every block cost accuracy, and gates at other places did not help.
