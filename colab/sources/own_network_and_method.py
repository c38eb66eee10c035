# %% [markdown]
# # Your own network and your own method
#
# A network is one Python file, and so is a method. vidjax then lists, trains and explains it like
# its own. In a notebook you register an object in place of a file. This notebook writes a small
# network and a method that drops channels, trains them together, and explains the result.

# %% [markdown]
# ## A network
#
# A network is a `flax.linen` module that maps clips `[B, T, H, W, 3]` to logits. `make_resnet`
# builds residual ones from a description; every method of vidjax then fits them, because their
# blocks have slots. This one has three stages of one block, and halves its features once after the
# stem, so that an explanation has enough cells to point at limbs.

# %%
import types

import jax

import vidjax
from vidjax import plugins
from vidjax.models import DEFINED_IN, OPTIONS, Family, Stem, make_resnet
from vidjax.settings import whole


def build(*, stem_frames: int = 5, **options):
    """Builds the network.

    Args:
      stem_frames: frames that the first convolution sees.
      **options: as in `make_resnet`.
    """

    def stem(**given):
        return Stem(kernel_size=(stem_frames, 7, 7), **given)

    strides = ((1, 1, 1), (2, 2, 2), (1, 1, 1), (1, 1, 1))  # of the stages, along T, H, W
    return make_resnet(stem=stem, strides=strides, **options)


facts = {
    "clip": (16, 112, 112),
    "frame_stride": 2,
    "mean": (0.45, 0.45, 0.45),
    "std": (0.225, 0.225, 0.225),
    "paper": "This notebook",
}
family = Family(build, {**OPTIONS, "stem_frames": whole(1, 16)}, facts, defined_in=DEFINED_IN)
variant = family.variant("tiny_r3d", {"depths": (1, 1, 1, 0), "block": "basic"}, 0, 0)
plugins.register("vidjax.models", "my_network", types.SimpleNamespace(VARIANTS=(variant,)))
print(vidjax.list_models("tiny*"))
print(vidjax.count_cost(vidjax.create_model("tiny_r3d", num_classes=16, width=16), (16, 48, 48)))

# %% [markdown]
# The two zeros are its parameters and multiply-adds on its card; `count_cost` has just counted
# them. `stem_frames` has become an option with a range. A value outside of it is refused in one
# line:

# %%
try:
    vidjax.create_model("tiny_r3d", stem_frames=99)
except ValueError as error:
    print(error)

# %% [markdown]
# ## A method
#
# A method says which options it has, and puts modules into slots of the network's blocks. It never
# names a network, and no network names it. This one is channel dropout: in training, whole channels
# of a clip are left out at random (Tompson et al., CVPR 2015).

# %%
import flax.linen as nn

from vidjax.settings import number
from vidjax.slots import (
    STAGES,
    Option,
    insert_module,
    module_factory,
    option_settings,
    pop_stages,
    settings_of,
)


class ChannelDrop(nn.Module):
    """Leaves out channels of each clip at random, in training.

    Attributes:
      rate: chance of a channel to be left out.
    """

    rate: float = 0.1

    @nn.compact
    def __call__(self, x, *, train: bool):
        if not train:
            return x
        shape = (x.shape[0], 1, 1, 1, x.shape[-1])
        kept = jax.random.bernoulli(self.make_rng("noise"), 1 - self.rate, shape)
        return x * kept.astype(x.dtype) / (1 - self.rate)


settings = {"rate": number(0, below=1)}


def fill(slots, value, places):
    """Puts it into the branches of the stages that are named, before the norms."""
    values = option_settings("channel_drop", value)
    stages = pop_stages("channel_drop", values, places)
    make = module_factory("channel_drop", ChannelDrop, values, settings, more=STAGES)
    return insert_module("channel_drop", slots, stages, "before_norm", make)


option = Option(
    "channel_drop",
    fill,
    "a mapping of settings",
    "channels left out at random in training",
    {**settings_of(settings, ChannelDrop), **STAGES},
)
plugins.register("vidjax.methods", "my_method", types.SimpleNamespace(OPTIONS=(option,)))

# %% [markdown]
# It is now an option of every residual network, not only of ours. Test what it should do before you
# train with it: two passes in training differ, and two in evaluation do not.

# %%
clips = jax.random.normal(jax.random.key(0), (2, 4, 16, 16, 3))
for name in ("tiny_r3d", "r3d_18"):
    options = {"num_classes": 4, "width": 4, "depths": (1, 1, 0, 0)}
    model = vidjax.create_model(name, channel_drop={"rate": 0.5}, **options)
    variables = jax.jit(lambda model=model: model.init(jax.random.key(1), clips, train=False))()

    def logits(seed, train, model=model, variables=variables):
        rngs = {"noise": jax.random.key(seed)}
        return model.apply(variables, clips, train=train, mutable=["batch_stats"], rngs=rngs)[0]

    compiled = jax.jit(logits, static_argnames="train")
    training = float(abs(compiled(0, train=True) - compiled(1, train=True)).max())
    evaluation = float(abs(compiled(0, train=False) - compiled(1, train=False)).max())
    print(f"{name:9s} training differs by {training:.3f}, evaluation by {evaluation:.3f}")
    assert training > 0 == evaluation

# %% [markdown]
# ## Train them
#
# A configuration names the network, and gives the options. The rest is that of the demo.

# %%
from pathlib import Path

from vidjax.configs import demo
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

config = demo.get_config()
config.model.name = "tiny_r3d"
config.model.options = {"width": 16, "stem_frames": 3, "channel_drop": {"rate": 0.1}}
if jax.default_backend() == "cpu":
    config.data.options.classes = ("jump", "kick", "sit_down", "stand_up")
    config.data.options.train_per_class = 32
    config.clip.frames, config.clip.stride = 8, 4
config.every.log = "10 steps"
outcome = train(from_mapping(config), Path("runs/own"))

# %% [markdown]
# The run has everything that other runs have: it resumes, is evaluated, predicts and is explained.

# %%
import matplotlib.pyplot as plt

from vidjax.explain.colours import overlay
from vidjax.trained.clip_explanation import open_clip

run = vidjax.open_run("runs/own")
video = next(Path("data").rglob("test/kick/*.mp4"))
print(video.name, run.predict(video, top=2))
clip = open_clip(run, video)
tube = vidjax.explain.saliency_tube(run.model, run.variables, clip.clip, tau=0.5)
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4))
for column, axis in enumerate(axes):
    time = column * (len(clip.frames) - 1) // 3
    axis.imshow(overlay(clip.frames[time], tube.volume[time]))
    axis.axis("off")
figure.suptitle(f"evidence for {run.labels[tube.class_index]}")
figure.tight_layout()

# %% [markdown]
# ## Keep them
#
# What a notebook registers is gone with its process, so the command `vidjax` in a terminal does not
# know it. Put each into a file of a package of yours, and name the files in its `pyproject.toml`:
#
# ```toml
# [project.entry-points."vidjax.models"]
# my_network = "my_package.my_network"
# [project.entry-points."vidjax.methods"]
# my_method = "my_package.my_method"
# ```
#
# After `pip install` of that package, `vidjax train --config=folder:model=tiny_r3d` works. The
# guide "Extending" has data sets, augmentations, maps and commands, too.
