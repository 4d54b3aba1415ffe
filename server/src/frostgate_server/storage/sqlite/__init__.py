"""The store on SQLite: files, connections, transactions and the schema; only this package knows the database
library."""
