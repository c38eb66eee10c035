# %% [markdown]
# # Class Regularization
#
# A. Stergiou, R. Poppe, R. C. Veltkamp, *Learning Class Regularized Features for Action
# Recognition*, [arXiv:2002.02651](https://arxiv.org/abs/2002.02651), 2020, and chapter 6 of [A.
# Stergiou's thesis](https://arxiv.org/abs/2110.02120).
#
# A kernel inside a network is the same for every class. Class Regularization gives each stage a
# guess at the class, and scales the stage's channels by their weights for the guessed class. This
# notebook shows the scaling, trains a small network with it, and looks at what the stages guess and
# amplify.

# %% [markdown]
# ## The scaling
#
# A learnt map takes the classifier's weights to the channels of a stage. The class whose mapped
# weights respond most to the stage's mean activations is the stage's guess. Its weights, brought to
# [0, 1], become factors around 1. The affection rate λ says how far they go: with λ = 1 nothing
# happens, and the deeper the stage, the smaller the λ of the thesis.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

from vidjax.methods.class_regularization import AFFECTION, scale

weights = jnp.linspace(-1, 1, 101)
for stage, rate in enumerate(AFFECTION, start=1):
    plt.plot(weights, scale(weights, rate, "symmetric"), label=f"stage {stage}, λ = {rate}")
plt.xlabel("mapped weight of a channel, for the guessed class")
plt.ylabel("factor of the channel")
plt.legend()
plt.show()

# %% [markdown]
# A channel whose weight is in the middle stays as it is. Channels that speak for the class are
# amplified, the others damped. The guess comes from the network and never from the label, so the
# method works in training and in evaluation alike.
#
# ## In a network
#
# It is one option of any residual network. What does it add? One map per stage: F × C parameters,
# and the multiply-adds of mapping all classes once per batch.

# %%
import vidjax

OPTIONS = {"width": 16, "depths": (1, 1, 1, 1), "num_classes": 16}
for name, more in (("without", {}), ("with", {"class_reg": {}})):
    cost = vidjax.count_cost(vidjax.create_model("r3d_18", **OPTIONS, **more), (8, 48, 48))
    print(f"{name:8s}{cost.params:10,} parameters{cost.macs:14,} multiply-adds per clip")

# %% [markdown]
# `vidjax.options("r3d_18")` lists its settings. One of them is `bounds`: the formula that both
# texts print contradicts what they say about it, so vidjax has three readings. The page "Class
# Regularization" of the documentation explains them.
#
# ## Train
#
# The data are generated: figures that act, of which the network gets a few classes. On a CPU this
# takes about a minute.

# %%
from pathlib import Path

from vidjax.configs import demo
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

LARGE = jax.default_backend() != "cpu"
config = demo.get_config()
config.model.options.class_reg = {}
if not LARGE:
    config.data.options.classes = ("jump", "kick", "sit_down", "wave_slowly")
    config.data.options.train_per_class = 40
    config.clip.frames, config.clip.stride = 8, 4
config.every.log = "10 steps"
outcome = train(from_mapping(config), Path("runs/regularized"))

# %% [markdown]
# ## Do the stages guess right?
#
# The run logs how often the guess of a stage is the network's own answer. With four classes, chance
# is one in four. In runs as short as this most stages stay near it; in one of two runs that we
# looked at, the last stage came to one in two. So most factors are those of another class: what
# scales the channels need not be right.

# %%
import json

lines = [
    json.loads(line) for line in Path("runs/regularized/metrics.jsonl").read_text().splitlines()
]
for stage in sorted({key for line in lines for key in line if key.startswith("agreement/")}):
    seen = [(line["step"], line[stage]) for line in lines if stage in line]
    plt.plot(*zip(*seen, strict=True), label=stage.removeprefix("agreement/"))
plt.xlabel("step")
plt.ylabel("guess is the network's answer")
plt.ylim(0, 1)
plt.legend()
plt.show()

# %% [markdown]
# ## What does it amplify?
#
# For a video of the test set, take the channels that the last stage amplifies most for the class
# that it guesses. Each is drawn over the frame in which it is most active, as in figure 6.3 of the
# thesis. With λ = 0.7 no factor can be above 1.3.

# %%
from vidjax.explain.amplified_channels import amplified
from vidjax.explain.colours import overlay
from vidjax.trained.clip_explanation import open_clip

run = vidjax.open_run("runs/regularized")
clip = open_clip(run, next(Path("data").rglob("test/kick/*.mp4")))
*_, last = amplified(run.model, run.variables, clip.clip)
shown = last.strongest(3)
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4))
axes[0].imshow(clip.frames[0])
axes[0].set_title("first frame of the clip")
for axis, channel in zip(axes[1:], shown, strict=True):
    heat = last.tube(channel, clip.frames.shape[:3])
    time = heat.mean(axis=(1, 2)).argmax()
    axis.imshow(overlay(clip.frames[time], heat[time]))
    axis.set_title(f"channel {channel}, factor {last.factors[channel]:.2f}, frame {time}")
for axis in axes:
    axis.axis("off")
figure.suptitle(f"{last.place} guesses {run.labels[last.class_index]}")
figure.tight_layout()

# %% [markdown]
# ## Does it help?
#
# The thesis reports +0.6 points for r3d-50 on Kinetics-400. A run of a minute cannot show a
# difference of that size. Our repetitions at a small scale show none beyond noise, or a loss, and
# the documentation has their numbers. At the papers' own scale nobody has trained it with vidjax
# yet. To try it on your data:
#
# ```
# vidjax train --config=folder --config.data.manifest=videos.csv --workdir=runs/plain
# vidjax train --config=folder --config.data.manifest=videos.csv --workdir=runs/regularized \
#     "--config.model.options.class_reg={}"
# vidjax compare runs/plain runs/regularized
# ```
