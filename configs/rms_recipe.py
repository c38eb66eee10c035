"""Training from scratch for the RMS paper, whose appendix B.1 we do not have.

We use PySlowFast's recipe for SlowOnly on Kinetics-400 (SLOW_8x8_R50) instead: 196 epochs, batches
of 64 clips, a learning rate of 0.1 with a cosine over all epochs and 34 epochs of warm-up, Nesterov
momentum, weight decay 1e-4 except for norms, dropout 0.5 before the classifier (in CSN too), and
residual branches that start at zero. It differs from PySlowFast in three points:

- Clips are cropped by area and have 25 frames per second, as in section 4.1 of the paper.
  PySlowFast scales the short side to 256 to 320 pixels and uses 30 frames per second.
- The warm-up starts at 0. PySlowFast's starts at a tenth of the learning rate.
- Evaluation uses the running statistics. PySlowFast recomputes them on 200 batches.
"""

import ml_collections

# 34 of 196 epochs, and the same share of shorter runs.
WARMUP = "17.35%"


def from_scratch(config: ml_collections.ConfigDict) -> None:
    """Sets the training and the options that belong to it."""
    config.model.options = {"zero_init": True, "dropout": 0.5}
    config.train.update({"duration": "196 epochs", "batch_size": 64})
    config.optimizer.update({"lr": 0.1, "reference_batch": 64, "weight_decay": 1e-4})
    config.optimizer.nesterov = True
    config.schedule.update({"name": "cosine", "warmup": WARMUP, "cosine_over": "run"})
