"""Kinds of settings: a kind reads a value from text, checks it, and shows it; rules between settings do not belong
here."""

from .choices import Choice, Choices, MemberChoice
from .kind import Kind, Optional
from .locations import Address, DirectoryPath, EmailAddress, FilePath, OutputFile
from .values import Duration, Number, Switch, Text

__all__ = [
    "Address",
    "Choice",
    "Choices",
    "DirectoryPath",
    "Duration",
    "EmailAddress",
    "FilePath",
    "Kind",
    "MemberChoice",
    "Number",
    "Optional",
    "OutputFile",
    "Switch",
    "Text",
]
