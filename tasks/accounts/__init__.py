"""Staff accounts: rules, intake, the nightly sweep, the yearly renewal, shared accounts, change files."""
