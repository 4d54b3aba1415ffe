"""Messages on the wire: limits, validation and parsing of requests, and conversion of answers. The handling of calls
does not belong here."""
