"""The study of a file: loaded, checked, planned, compared with another."""

from borarun.sections.study import Study
from borarun.study.load import init_study, load_study, study_files, study_schema

__all__ = ["Study", "init_study", "load_study", "study_files", "study_schema"]
