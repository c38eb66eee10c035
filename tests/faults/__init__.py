"""Faults made on purpose, and what vidjax makes of them; `docs/reliability.md` lists them."""
