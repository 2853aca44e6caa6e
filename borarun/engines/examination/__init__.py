"""Examination of potentials on configurations that no fit has seen."""
