"""Settings: names, kinds, sources, and the rules between them; this package reads configuration and starts nothing."""
