"""The schema of an SQLite database: its migrations, and the comparison of a database with what they make; no row of a
customer is read here."""
