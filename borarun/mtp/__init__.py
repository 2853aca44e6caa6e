"""Moment tensor potentials: templates, evaluation, fit, active set."""

from borarun.mtp import compiled

compiled.prepare()
