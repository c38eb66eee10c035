"""Tests links, numbers, Python blocks and commands of the README and of the pages in docs."""
