"""VASP as reference."""
