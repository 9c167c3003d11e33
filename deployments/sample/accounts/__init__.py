"""Two years of staff accounts of the sample consortium: files as its libraries and systems send them, day by day."""

from deployments.sample.accounts.playing import play
from deployments.sample.accounts.years import AccountFile, account_years

__all__ = ["AccountFile", "account_years", "play"]
