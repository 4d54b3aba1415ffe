"""The process of the background check, and its config; the checks themselves are in storage, and this package handles
no calls."""
