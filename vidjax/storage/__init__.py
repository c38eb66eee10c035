"""Where files lie: on a disk, or in a bucket. Only this package knows how the two differ.

Every path that a user gives is a local path or a URL (`gs://bucket/folder`, `s3://bucket/folder`).
`paths.as_path` makes of either an object that reads like a `pathlib.Path`. Renaming, locking,
appending, changing in place and `fsync` happen in this package alone. What it promises:

- A file is seen whole or not at all (`writing`). A disk renames it into place; a store shows an
  object when its upload is complete.
- What must not be there yet is not overwritten (`writing.new`): exclusive creation on a disk, a
  conditional write in a bucket.
- A folder has one owner at a time (`ownership`). On a disk that is a lock that dies with its
  process, and a record; in a bucket a lease, written under conditions. A dead owner is recognised
  at once on its own machine, elsewhere after a minute.
- A file that grows (`writing.appending`) loses no line that came before `writing.sync`. On a disk
  each flushed line is there at once, in a bucket within seconds.
- What is `durable` survives a machine that stops: a disk is told to `fsync`, a store has answered.
- Links are refused on a disk. A bucket has none.
- A new folder (`local.new_folder`) appears at once on a disk. In a bucket its files appear one by
  one, and the one that names the others last.
- A checkpoint appears when it is complete: Orbax renames its folder on a disk, and writes
  `commit_success.txt` into it in a bucket.

It does not promise that a folder of a bucket is listed as it was at one moment, nor that clocks of
machines agree; nothing here relies on either. Orbax refuses `s3://`, so that runs cannot be kept
there. Everything else can.
"""
