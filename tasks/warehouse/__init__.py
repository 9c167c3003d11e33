"""The engine-neutral warehouse: engine, transactions, bulk loading, locks, ledger, views, migrations."""
