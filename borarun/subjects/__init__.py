"""The subjects of a study: one folder for each section of the study file.

A folder has ``section.py``, the section's model, which validation loads, and, as far as the subject
needs them, ``stage.py``, the tasks, which planning loads, and ``collect.py``, ``figures.py`` and
``tables.py``, which the report loads.
"""

from __future__ import annotations

from borarun.subjects.active_learning.section import ActiveLearning
from borarun.subjects.diffusion.section import Diffusion
from borarun.subjects.examination.section import Examination
from borarun.subjects.heating.section import Heating
from borarun.subjects.phonons.section import Phonons
from borarun.subjects.potential.section import Potential
from borarun.subjects.relax.section import Relax
from borarun.subjects.reorientation.section import Reorientation
from borarun.subjects.subject import Subject
from borarun.subjects.training_set.section import TrainingSet
from borarun.subjects.vibrations.section import Vibrations

SUBJECTS: tuple[Subject, ...] = (
    Subject("relax", Relax, "Relax each phase. `{}` takes the defaults."),
    Subject(
        "phonons",
        Phonons,
        "Phonons of relaxed phases. `{}` takes the defaults.",
        needs="relax",
    ),
    Subject(
        "training_set",
        TrainingSet,
        "The first labelled configurations. `{}` takes the defaults.",
    ),
    Subject(
        "potential",
        Potential,
        "The potential and its fit. `{}` takes the defaults.",
        needs="training_set",
    ),
    Subject(
        "active_learning",
        ActiveLearning,
        "Extend the training set actively. `{}` takes the defaults.",
        needs="potential",
    ),
    Subject(
        "heating",
        Heating,
        "Lattice parameter against temperature. `{}` takes the defaults.",
        needs="potential",
        is_trajectory=True,
    ),
    Subject(
        "diffusion",
        Diffusion,
        "Diffusivity and conductivity. `{}` takes the defaults.",
        needs="potential",
        is_trajectory=True,
    ),
    Subject(
        "reorientation",
        Reorientation,
        "Rotation of the anions. `{}` takes the defaults.",
        needs="diffusion",
    ),
    Subject(
        "vibrations",
        Vibrations,
        "Vibrational density of states. `{}` takes the defaults.",
        needs="potential",
        is_trajectory=True,
    ),
    Subject(
        "examination",
        Examination,
        "Errors of the final potential on configurations of production runs, which the reference "
        "labels. `{}` takes the defaults.",
        needs="potential",
    ),
)
"""Every subject, in the order of the science: the tasks of each may build on those before it."""

PRODUCTION = frozenset(subject.name for subject in SUBJECTS if subject.is_trajectory)
"""Names of those whose records are trajectories, and on whose results no other builds."""
