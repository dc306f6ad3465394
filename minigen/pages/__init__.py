"""Pages over run folders, which they only read: `minigen report`, one file that opens in any browser, offline."""

from minigen.pages.report import page, save_report

__all__ = ["page", "save_report"]
