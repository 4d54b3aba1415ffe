"""Linux: what it says of other processes, and what it does when one ends; nothing here starts or serves anything."""
