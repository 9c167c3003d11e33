"""Suppliers that come in: test deliveries in the sandbox, and the customers that each supplier reports."""
