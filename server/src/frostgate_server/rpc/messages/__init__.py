"""Messages on the wire: limits, validation and parsing of requests, and conversion of answers. Knows no calls."""
