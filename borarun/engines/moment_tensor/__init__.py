"""What the engines share that train moment tensor potentials."""
