"""What every study says, and what the sections of subjects are built from."""
