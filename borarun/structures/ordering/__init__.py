"""Ordered models of a structure with partly occupied or shared sites.

The composition is made whole in a supercell (`counts`), with charges of the ions (`charges`). All
symmetry-distinct arrangements are listed where they are few, and low-energy ones are searched for
where they are many (`arrangements`), by their electrostatic energy (`electrostatics`).
"""

from borarun.structures.ordering.models import Model, Ordered, Request, ordered_models

__all__ = ["Model", "Ordered", "Request", "ordered_models"]
