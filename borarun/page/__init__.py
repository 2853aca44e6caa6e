"""The report: everything that was found, collected from the records and written as a page."""

from borarun.page.collecting import collect
from borarun.page.page import files, write_report
from borarun.subjects.common.results import Results

__all__ = ["Results", "collect", "files", "write_report"]
