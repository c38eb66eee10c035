"""Features in files: `.npz` and `.h5`, written whole, read back without running anything.

Both hold the columns of `table.Features`: `features` and, for each of its rows, `video`, `label`,
`split`, `group`, `start`, `end` and `clip`; and `about`, a JSON text that says how they were made.
"""
