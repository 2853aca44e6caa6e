"""A study while it runs: in the terminal, and in a browser. Nothing in here changes a study."""
