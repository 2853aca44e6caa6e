"""What all potentials have in common."""
