# %% [markdown]
# # Several devices
#
# vidjax uses every device that JAX sees: a CPU, eight GPUs, a TPU. The result of a run does not
# depend on their number. This notebook trains the same run on one device and on eight, resumes it
# on four, and shows how a batch and the parameters lie on them.
#
# So that it runs anywhere, JAX simulates the devices on the CPU. That is slower than one device,
# but the programs are those of real ones.

# %% [markdown]
# ## One device and eight
#
# The same command twice: in a terminal you would type just that. The two variables ask JAX for
# simulated devices. With real ones leave them out. `train.batch_size` counts the clips of all
# devices together.

# %%
SETTINGS = (
    "--config=demo:smoke=true '--config.model.options.depths=(1,1,0,0)' --config.clip.frames=4 "
    "--config.clip.size=32 --config.eval.size=32 "
    "'--config.every.log=1 steps' '--config.every.checkpoint=4 steps'"
)
SIMULATED = "JAX_PLATFORMS=cpu JAX_NUM_CPU_DEVICES"

# %%
# !{SIMULATED}=1 vidjax train {SETTINGS} '--config.train.duration=8 steps' --workdir=runs/one

# %%
# !{SIMULATED}=8 vidjax train {SETTINGS} '--config.train.duration=8 steps' --workdir=runs/eight

# %% [markdown]
# A line of each log names the devices. Now compare the losses, step by step.

# %%
import json
from pathlib import Path


def losses(run):
    lines = Path("runs", run, "metrics.jsonl").read_text().splitlines()
    found = [line for line in map(json.loads, lines) if line["split"] == "train"]
    return {line["step"]: line["loss"] for line in found}


one, eight = losses("one"), losses("eight")
for step, loss in one.items():
    print(f"step {step}: {loss:.6f} and {eight[step]:.6f}, apart {abs(loss - eight[step]):.1e}")

# %% [markdown]
# They differ by rounding at most, since sums are added in another order. Batch normalisation is
# part of this: it takes the statistics of the whole batch, over all devices, unless you set
# `train.batch_norm`.
#
# ## Go on with another number of devices
#
# A machine was taken away, and the next one is smaller? The same command resumes from the last
# checkpoint, on any number of devices that divides the batch.

# %%
# !{SIMULATED}=4 vidjax train {SETTINGS} '--config.train.duration=12 steps' --workdir=runs/eight

# %%
import matplotlib.pyplot as plt

found = losses("eight")
plt.figure(figsize=(6, 3))
plt.plot(found.keys(), found.values(), "o-")
plt.axvline(8.5, linestyle=":", color="grey")
plt.text(8.6, max(found.values()), "four devices", va="top")
plt.xlabel("step")
plt.ylabel("loss")
plt.show()

# %% [markdown]
# ## A mesh
#
# Devices form a mesh with two axes. Along `data`, every device has all parameters and a share of
# the clips. Along `fsdp`, large parameters are split as well, for networks that do not fit into one
# device's memory. Here is how the mesh 2 × 4 lays out a batch of 16 clips: each device has two.

# %%
import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

from vidjax.run.setting_groups import MeshConfig
from vidjax.run.sharding import batch_sharding, make_mesh, state_shardings

mesh = make_mesh(MeshConfig(data=2, fsdp=4))
batch = jax.device_put(jax.numpy.zeros((16, 64)), batch_sharding(mesh))
jax.debug.visualize_array_sharding(batch)

# %% [markdown]
# And here is what each device holds of the parameters of a network. Small arrays stay whole,
# because splitting them costs more in messages than it saves in memory. `--config.mesh.fsdp=4` sets
# the axis of a run.

# %%
import math

import vidjax

model = vidjax.create_model("r3d_18", num_classes=400)
clip = jax.ShapeDtypeStruct((1, 16, 112, 112, 3), "float32")
shapes = jax.eval_shape(lambda clip: model.init(jax.random.key(0), clip, train=False), clip)
MESHES = ((8, 1), (4, 2), (2, 4), (1, 8))
held = []
for data, parts in MESHES:
    laid = state_shardings(shapes, make_mesh(MeshConfig(data=data, fsdp=parts)))
    pieces = jax.tree.map(lambda own, place: math.prod(place.shard_shape(own.shape)), shapes, laid)
    held.append(4 * sum(jax.tree.leaves(pieces)) / 2**20)
plt.figure(figsize=(6, 3))
plt.bar([f"{data} x {parts}" for data, parts in MESHES], held)
plt.xlabel("mesh: data x fsdp")
plt.ylabel("MiB of r3d_18 on each device")
plt.show()

# %% [markdown]
# ## Where to go next
#
# Several machines take the same command once per process, and a bucket or a shared disk for data
# and runs. The guide "Launching" has SLURM, TPU slices, Kubernetes and SkyPilot, and says what was
# never run: vidjax has not been timed on real accelerators yet.
