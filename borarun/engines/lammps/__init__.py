"""Molecular dynamics with LAMMPS."""
