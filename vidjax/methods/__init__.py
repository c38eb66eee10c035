"""The papers' methods, one file each; they reach a network through its blocks' slots."""
