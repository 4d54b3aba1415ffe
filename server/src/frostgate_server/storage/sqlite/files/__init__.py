"""The files of an SQLite database: their names and identities, its head file and its lock; no SQL belongs here."""
