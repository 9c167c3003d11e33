"""Every kind of file about accounts: importing this module fills `intake.TAKERS`."""

from tasks.accounts import campaign, lending, shared
from tasks.accounts.intake import ImportReport, take_file

__all__ = ["ImportReport", "campaign", "lending", "shared", "take_file"]
