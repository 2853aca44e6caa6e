"""The report: results from the store, figures, tables, the HTML page."""

from borarun.report.collect import collect
from borarun.report.page import write_report
from borarun.report.results import Results

__all__ = ["Results", "collect", "write_report"]
