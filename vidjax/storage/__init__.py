"""Files on a disk or in a bucket. Only this package knows how the two differ.

Every path that you give is a local path or a URL (`gs://bucket/folder`, `s3://bucket/folder`).
`paths.as_path` turns either into an object that reads like a `pathlib.Path`. Renaming, locking,
appending, changing in place and `fsync` happen only in this package. Its guarantees:

- A file appears complete or not at all (`writing`). On a disk it is renamed into place. A bucket
  shows an object when its upload is complete.
- `writing.new` never overwrites a file: it uses exclusive creation on a disk, and a conditional
  write in a bucket.
- A folder has one owner at a time (`ownership`). On a disk this is a lock that ends with its
  process, and a record file. In a bucket it is a lease, renewed by conditional writes. A dead owner
  is detected at once on its own machine, and after a minute elsewhere.
- A growing file (`writing.appending`) loses no line that was written before `writing.sync`. A
  flushed line is readable at once on a disk, and within seconds in a bucket.
- A `durable` file survives a machine that stops: the disk has completed `fsync`, or the store has
  confirmed the write.
- Symbolic links are refused on a disk. A bucket has none.
- A new folder (`local_copies.new_folder`) appears at once on a disk. In a bucket its files appear
  one by one, and the file that lists the others comes last.
- A checkpoint appears when it is complete: Orbax renames its folder on a disk, and writes
  `commit_success.txt` into it in a bucket.

Not guaranteed: a listing of a bucket's folder may mix states of different times, and the clocks of
machines may differ. Nothing here relies on either. Orbax does not support `s3://`, so runs cannot
be stored there. Everything else can.
"""
