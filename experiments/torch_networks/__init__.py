"""Networks in plain PyTorch, the baseline that speed is compared with.

Each network maps clips `[B, 3, T, H, W]` to logits `[B, num_classes]`, and has the same parameters
and multiply-adds as ours.
"""
