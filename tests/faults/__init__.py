"""Tests deliberate faults and how vidjax handles them; `docs/reliability.md` lists them."""
