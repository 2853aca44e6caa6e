"""Files that people write: YAML with line numbers, mistakes in words, former names of keys."""
