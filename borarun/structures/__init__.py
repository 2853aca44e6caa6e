"""Crystal structures: read, ordered, searched for ions, made into supercells."""
