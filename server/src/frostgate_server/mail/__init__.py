"""Delivery of verification codes by SMTP; services choose the code and the contact."""
