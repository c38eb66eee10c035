"""The commands, by name: `vidjax NAME`.

In a clone they are the files of the folder `experiments`, and `python -m experiments.NAME` runs
them too.
"""

from pathlib import Path

from vidjax.source_checkout import checkout_folder

__path__ += checkout_folder(Path(__file__).parent)
