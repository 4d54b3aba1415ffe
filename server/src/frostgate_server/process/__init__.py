"""Server processes: the supervisor, its workers, their ports and signals, and the code that builds a worker's server;
this package handles no requests."""
