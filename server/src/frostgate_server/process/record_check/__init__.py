"""The process of the background check of the record, and its side in the supervisor; what is checked is decided in
storage, and no call is handled here."""
