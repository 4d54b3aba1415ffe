"""Functions of Linux: to find the processes at an address, and to end with the parent process."""
