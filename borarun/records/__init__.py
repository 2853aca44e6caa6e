"""Tasks, what each operation leaves, and the store of records."""
