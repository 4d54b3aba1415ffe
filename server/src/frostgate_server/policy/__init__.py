"""The decision policy: its rules, the file that they are read from, and the tables that people read; no customer is
known here."""
