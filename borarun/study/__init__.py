"""A study: its model put together from the subjects, loaded, checked."""

from borarun.study.load import init_study, load_study, study_files, study_schema
from borarun.study.model import Study

__all__ = ["Study", "init_study", "load_study", "study_files", "study_schema"]
