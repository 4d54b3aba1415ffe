"""Server processes: the supervisor, its workers, their ports and signals, and the code that builds a worker's server;
no request is handled here."""
