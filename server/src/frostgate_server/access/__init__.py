"""Who calls, and may they: certificates, tokens, and the files by which callers are known."""
