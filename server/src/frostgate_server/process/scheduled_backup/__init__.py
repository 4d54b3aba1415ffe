"""The process of the scheduled backups, and its config; the copy and its verification are in storage, and this package
handles no calls."""
