"""The schema of an SQLite database: its migrations, and the comparison of a database with the migrated schema; this
package reads no customer rows."""
