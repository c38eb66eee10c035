"""The thesis' augmentation chain: draws random parameters for a clip and applies them."""
