"""Moment tensor potentials, trained and selected for by borarun itself."""
