"""Feature files, `.npz` and `.h5`: written atomically, and read without running code.

Both hold the columns of `table.Features`: `features`, and for each row `video`, `label`, `split`,
`group`, `start`, `end` and `clip`. `about` is a JSON text that says how the features were made.
"""
