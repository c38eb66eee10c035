"""How the networks of the RMS paper are trained from scratch; the paper's appendix B.1 is lost.

PySlowFast's recipe for SlowOnly on Kinetics-400 (SLOW_8x8_R50) stands for it: 196 epochs, batches
of 64 clips, a rate of 0.1 that falls in a cosine over all of them, after 34 epochs of warm-up that
lead into it, Nesterov momentum, decay 1e-4 but for norms, dropout 0.5 before the classifier, in CSN
too, and branches that start empty. What differs from it:

- Clips are cropped by area and are at 25 frames a second, as the paper's section 4.1 says;
  PySlowFast scales the short side to 256 to 320 pixels and takes 30 frames a second.
- The warm-up begins at 0; PySlowFast's begins at a tenth of the rate.
- Running statistics are evaluated; PySlowFast computes them anew on 200 batches.
"""

import ml_collections

# 34 of 196 epochs, and as much of a shorter run.
WARMUP = "17.35%"


def from_scratch(config: ml_collections.ConfigDict) -> None:
    """Sets the training, and the options that belong to it."""
    config.model.options = {"zero_init": True, "dropout": 0.5}
    config.train.update({"duration": "196 epochs", "batch_size": 64})
    config.optimizer.update({"lr": 0.1, "reference_batch": 64, "weight_decay": 1e-4})
    config.optimizer.nesterov = True
    config.schedule.update({"name": "cosine", "warmup": WARMUP, "cosine_over": "run"})
