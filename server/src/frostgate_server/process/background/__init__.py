"""The supervisor's handle of a process that works in the background; the programs themselves are in record_check and
scheduled_backup."""
