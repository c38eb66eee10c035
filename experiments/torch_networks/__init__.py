"""Networks of the zoo in plain PyTorch: what their speed is measured against.

Every network maps clips `[B, 3, T, H, W]` to logits `[B, num_classes]`, and has the parameters and
multiply-adds of ours.
"""
