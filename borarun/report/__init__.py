"""The report: results from the store, figures, tables, the HTML page."""

from borarun.report.collecting import collect
from borarun.report.page import files, write_report
from borarun.report.results import Results

__all__ = ["Results", "collect", "files", "write_report"]
