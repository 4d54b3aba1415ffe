"""The decision policy: its rules, the files that they are read from, and their output as text and JSON. Customers do
not belong here."""
