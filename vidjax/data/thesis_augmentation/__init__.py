"""The thesis' chain of augmentations: what is drawn for a clip, and how it is applied."""
