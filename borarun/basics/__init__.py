"""What every other room may use: errors and their causes, units, files, processes."""
