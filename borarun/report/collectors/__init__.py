"""From the store to results: the only place where the report computes. One module a subject."""
