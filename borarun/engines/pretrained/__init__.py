"""Pretrained potentials as references: a line of ``families`` each, through ASE."""
