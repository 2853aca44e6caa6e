"""Moment tensor potentials, trained and selected for by MLIP-3."""
