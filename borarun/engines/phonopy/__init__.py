"""Phonons by finite displacements with phonopy."""
