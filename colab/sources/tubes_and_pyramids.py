# %% [markdown]
# # Saliency Tubes and Class Feature Pyramids
#
# A. Stergiou et al., *Saliency Tubes: Visual Explanations for Spatio-Temporal Convolutions*,
# [arXiv:1902.01078](https://arxiv.org/abs/1902.01078), and *Class Feature Pyramids for Video
# Explanation*, [arXiv:1909.08611](https://arxiv.org/abs/1909.08611), both 2019.
#
# A tube shows *where* in space and time a network finds evidence for a class. A pyramid shows
# *which kernels* it relies on, from the class down through the layers. This notebook trains a small
# network, draws both, and then explains a network that you write yourself.

# %% [markdown]
# ## A network to explain
#
# A minute of training on generated figures. Have you a run or published weights? Then set `network`
# to `vidjax.open_run(...)` or `vidjax.load_pretrained(...)`, and `video` to a file.

# %%
from pathlib import Path

import jax

import vidjax
from vidjax.configs import demo
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

config = demo.get_config()
if jax.default_backend() == "cpu":
    config.data.options.classes = ("clap", "jump", "kick", "sit_down")
    config.data.options.train_per_class = 40
config.every.log = "10 steps"
outcome = train(from_mapping(config), Path("runs/explained"))

# %%
network = vidjax.open_run("runs/explained")
video = next(Path("data").rglob("test/kick/*.mp4"))
for action, probability in network.predict(video):
    print(f"{probability:7.2%}  {action}")

# %% [markdown]
# ## A Saliency Tube
#
# The last features before the classifier are a small volume of time and space for each channel. A
# tube weights every channel by the classifier's weight of the class, adds them up and enlarges the
# sum to the size of the video. `tau=0.5` leaves out channels that are weak everywhere.

# %%
import matplotlib.pyplot as plt

from vidjax.explain import saliency_map, saliency_tube
from vidjax.explain.colours import overlay
from vidjax.trained.clip_explanation import open_clip

clip = open_clip(network, video)
explained = (network.model, network.variables, clip.clip)
tube = saliency_tube(*explained, "kick", tau=0.5, classes=network.labels)


def draw(rows, columns=6):
    figure, axes = plt.subplots(len(rows), columns, figsize=(2 * columns, 2.1 * len(rows)))
    for line, (name, volume) in zip(axes, rows.items(), strict=True):
        for column, axis in enumerate(line):
            time = column * (len(clip.frames) - 1) // (columns - 1)
            frame = clip.frames[time]
            axis.imshow(frame if volume is None else overlay(frame, volume[time]))
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    figure.tight_layout()


draw({"the clip": None, "kick": tube.volume})
print("made of", " and ".join("x".join(map(str, cells.shape)) for cells in tube.low), "cells")

# %% [markdown]
# The tube is enlarged from few cells, so do not read it to the pixel.
#
# ## Another class, and other maps
#
# What speaks for another class in the same clip? With `tau=0.5` the tubes of two classes may look
# much alike: they show where the network finds features that matter, and less which class these
# speak for. And do other methods agree? Occlusion hides pieces of the clip, and shows where the
# score of the class falls. `saliency_map` draws any of sixteen maps by name. Where they differ,
# none of them is right by itself: the page "Do maps tell the truth?" of the documentation measures
# all of them on videos whose moving limbs are known.

# %%
rows = {"kick": tube.volume}
rows["jump"] = saliency_tube(*explained, "jump", tau=0.5, classes=network.labels).volume
for name in ("grad_cam", "layer_cam", "occlusion"):
    rows[name] = saliency_map(*explained, "kick", name, classes=network.labels).volume
draw(rows)

# %% [markdown]
# ## A Class Feature Pyramid
#
# It starts at the class and keeps the features with the largest products of activation and weight,
# at least a share θ of the largest. Then it steps back: for each kept kernel it asks which of its
# inputs matter, and keeps those. Each tile is a kernel, over the frame where it is most active.
# Lines lead from a kernel to those that it relies on.

# %%
from IPython.display import HTML, display

from vidjax.explain import class_feature_pyramid
from vidjax.explain.pyramid_figure import draw_pyramid

pyramid = class_feature_pyramid(*explained, "kick", depth=3, classes=network.labels)
display(draw_pyramid(pyramid, clip.frames, "kick", tube.volume))

# %%
for layer in pyramid.layers:
    order = layer.weights.argsort()[::-1][:5]
    print(f"level {layer.level}  {layer.name}: {len(layer.kernels)} kernels,", end=" ")
    print("strongest", ", ".join(str(layer.kernels[place]) for place in order))

# %% [markdown]
# The same as a page in which you can move through time and press a kernel to see it large, what
# relies on it and what it relies on. The page is one file that opens anywhere, without the network.

# %%
from vidjax.explain.html_page import Panel, embed, page

panel = Panel("kick", clip.frames, tube.volume, pyramid, heats={"Grad-CAM": rows["grad_cam"]})
text = page(video.name, [panel], fps=clip.fps)
Path("kick.html").write_text(text, encoding="utf-8")
display(HTML(embed(text)))

# %% [markdown]
# ## Your own network
#
# You name no layer by hand, because vidjax reads the network's program. So a plain function in JAX
# can be explained, too. This one has two convolutions and random weights.

# %%
import jax.numpy as jnp


def convolve(x, kernel, stride):
    layout = ("NDHWC", "DHWIO", "NDHWC")
    return jax.lax.conv_general_dilated(x, kernel, stride, "SAME", dimension_numbers=layout)


def own(weights, clip):
    x = jax.nn.relu(convolve(clip, weights["first"], (1, 2, 2)))
    x = jax.nn.relu(convolve(x, weights["second"], (2, 2, 2)))
    return x.mean(axis=(1, 2, 3)) @ weights["classifier"]


keys = jax.random.split(jax.random.key(0), 3)
shapes = {"first": (3, 3, 3, 3, 8), "second": (3, 3, 3, 8, 16), "classifier": (16, 4)}
weights = {
    name: jax.random.normal(key, shape) / jnp.prod(jnp.array(shape[:-1])) ** 0.5
    for key, (name, shape) in zip(keys, shapes.items(), strict=True)
}
found = class_feature_pyramid(own, weights, clip.clip, 0, depth=2)
for layer in found.layers:
    print(f"level {layer.level}  {layer.name}: kernels {layer.kernels.tolist()}")

# %% [markdown]
# ## Where to go next
#
# `vidjax explain --method=tubes`, `maps`, `pyramid` or `kernels` does all of this for a file and
# writes videos, pictures and pages. The guide "Explaining a network" has every setting.
