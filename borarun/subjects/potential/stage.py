"""The first potential, trained on the training set."""

from __future__ import annotations

from borarun.engines.potential.base import PotentialSection
from borarun.records.task import Ref, items_of
from borarun.sections.study import Study
from borarun.subjects.common.stage import Expansion, Product, Products, Records, train_task

NAME = "potential"


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """One training a functional; products ``potential/FUNCTIONAL``."""
    if study.section(PotentialSection) is None:
        return Expansion()
    tasks = []
    found: dict[str, Product] = {}
    for functional in study.functionals:
        labels, contacts = (
            items_of(products[f"{kind}/{functional}"]) for kind in ("labels", "contacts")
        )
        task = train_task(study, functional, labels, stage=NAME, number=0, selected=contacts)
        tasks.append(task)
        found[f"potential/{functional}"] = Ref(task.key, "potential")
    return Expansion(tuple(tasks), found)
