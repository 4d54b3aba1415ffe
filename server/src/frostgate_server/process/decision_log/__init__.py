"""The file of the decision log: the supervisor prepares and rotates it, workers open it. Records are encoded in rpc."""
