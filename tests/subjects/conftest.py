"""The fixtures of ``synthetic``."""

from synthetic import failure, hurried, lammps_record, made, results, study_of

__all__ = ["failure", "hurried", "lammps_record", "made", "results", "study_of"]
