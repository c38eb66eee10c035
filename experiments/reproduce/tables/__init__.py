"""The tables, one file each with a `TABLE`; to add a table, add a file."""
