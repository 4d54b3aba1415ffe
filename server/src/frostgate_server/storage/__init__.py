"""The storage interface and its implementations, one package for each database; no business rule belongs here."""
