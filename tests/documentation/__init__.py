"""Links, numbers, blocks of Python and commands of the README and of the pages in docs."""
