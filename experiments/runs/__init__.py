"""Many runs of one plan: carried out and resumed in processes of their own, and counted together.

`reproduce` and `sweep` plan and tabulate such runs, each in its own way.
"""
