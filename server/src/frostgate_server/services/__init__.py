"""Use cases: what a call does and in which order; this package knows no transport and no SQL."""
