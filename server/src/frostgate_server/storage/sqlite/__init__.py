"""The store on SQLite: files, connections, transactions and the schema; only this package imports the database
library."""
