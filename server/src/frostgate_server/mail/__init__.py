"""Delivery of verification codes by SMTP; which code goes to which contact is decided in services."""
