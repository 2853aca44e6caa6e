"""Pretrained networks as potentials of molecular dynamics, as they are."""
