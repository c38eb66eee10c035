"""One file a table, each with a `TABLE`; a table is added by adding a file."""
