"""Quantum ESPRESSO as reference."""
