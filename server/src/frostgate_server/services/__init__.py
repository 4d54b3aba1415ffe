"""Use cases: the steps of a call and their order. Transport and SQL do not belong here."""
