"""The decision log of a worker: the records of decisions, and handlers that queue a record before they answer; this
package opens no files and starts no threads."""
