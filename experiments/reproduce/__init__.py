"""Tables of the papers, run anew: every row with every seed on every data set, then the table."""
