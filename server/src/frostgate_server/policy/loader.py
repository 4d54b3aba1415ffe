"""Reads the policy from its file, and an operator's changes from another file. One error names all problems.

A file groups rules as the source does: one `[[rules]]` table applies to all its billing modes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import IntEnum
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from frostgate_server.domain.enums import BillingMode, Decision, FreezeState, Operation, RuleBasis
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.toml_text import parse_toml

from .rules import Cell, Policy, Rule, applicable, existing_cells

MESSAGE_LIMIT = 80
_CELL_KEYS = {"freeze_state", "billing_modes", "operation"}
_RULE_KEYS = _CELL_KEYS | {"decision", "basis", "message", "source_text"}
_OVERRIDE_KEYS = _CELL_KEYS | {"decision", "message"}

_Word = TypeVar("_Word", bound=IntEnum)


class PolicyFileError(StartupError):
    """A policy file cannot be used. The message names the file and every problem in it."""

    def __init__(self, file: str, problems: list[str]) -> None:
        super().__init__(f"policy file {file}: " + "; ".join(problems))
        self.problems = tuple(problems)


class _Problem(Exception):
    """A problem in one table of the file."""


def load(override: Path | None, unknown_customer: Decision) -> Policy:
    """The built-in policy, with the changes of the operator's file if there is one. Raises PolicyFileError."""
    source = resources.files(__package__).joinpath("policy.toml").read_bytes()
    rules = parse_rules("policy.toml", source)
    if override is not None:
        try:
            text = override.read_bytes()
        except OSError as error:
            raise PolicyFileError(str(override), [f"cannot be read: {error}"]) from error
        rules = apply_override(str(override), text, rules)
    return Policy(rules.values(), unknown_customer)


def parse_rules(file: str, text: bytes | str) -> dict[Cell, Rule]:
    """The rules of a whole policy. Raises PolicyFileError for missing, repeated, unknown and impossible cells."""
    rules: dict[Cell, Rule] = {}
    problems: list[str] = []
    for where, table in _tables(file, text):
        try:
            for cell in _cells(where, table, _RULE_KEYS):
                if cell in rules:
                    problems.append(f"{where}: {cell} is listed twice")
                rules[cell] = _rule(where, cell, table)
        except _Problem as problem:
            problems.append(str(problem))
    problems += [f"{cell} is missing" for cell in existing_cells() if cell not in rules]
    if problems:
        raise PolicyFileError(file, problems)
    return rules


def apply_override(file: str, text: bytes | str, rules: Mapping[Cell, Rule]) -> dict[Cell, Rule]:
    """The rules with an operator's changes.

    A change may allow or deny SILENT cells. It may deny PROSE cells of a frozen state. Frozen resources must not allow
    an operation that a frozen account denies. Raises PolicyFileError.
    """
    changed = dict(rules)
    seen: set[Cell] = set()
    problems: list[str] = []
    for where, table in _tables(file, text):
        try:
            for cell in _cells(where, table, _OVERRIDE_KEYS):
                if cell in seen:
                    problems.append(f"{where}: {cell} is listed twice")
                seen.add(cell)
                changed[cell] = _override(where, rules[cell], table)
        except _Problem as problem:
            problems.append(str(problem))
    problems += _laxer_with_frozen_resources(changed)
    if problems:
        raise PolicyFileError(file, problems)
    return changed


def _tables(file: str, text: bytes | str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        document = parse_toml(text)
    except ValueError as error:
        raise PolicyFileError(file, [str(error)]) from error
    unknown = sorted(document.keys() - {"rules"})
    tables = document.get("rules", [])
    if unknown or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise PolicyFileError(file, [f"must have only [[rules]] tables, but has {', '.join(document)}"])
    for number, table in enumerate(tables, start=1):
        yield f"rule {number}", table


def _cells(where: str, table: dict[str, Any], allowed_keys: set[str]) -> list[Cell]:
    """The cells that a table applies to. Raises _Problem for unknown keys and words and for cells that do not exist."""
    if unknown := sorted(table.keys() - allowed_keys):
        raise _Problem(f"{where}: {', '.join(unknown)} cannot be set here, only {', '.join(sorted(allowed_keys))}")
    state = _word(where, table, "freeze_state", FreezeState)
    operation = _word(where, table, "operation", Operation)
    modes = table.get("billing_modes")
    if not isinstance(modes, list) or not modes:
        raise _Problem(f"{where}: billing_modes must be a list of at least one of {', '.join(BillingMode.__members__)}")
    cells = [Cell(state, _named(where, "billing_modes", mode, BillingMode), operation) for mode in modes]
    for cell in cells:
        if not applicable(cell.operation, cell.billing_mode):
            raise _Problem(f"{where}: {cell} is not possible: the operation does not exist for the billing mode")
    return cells


def _rule(where: str, cell: Cell, table: dict[str, Any]) -> Rule:
    basis = _word(where, table, "basis", RuleBasis)
    source_text = _text(where, table, "source_text")
    if basis is RuleBasis.OVERRIDE:
        raise _Problem(f"{where}: basis OVERRIDE is for an operator's own file")
    if (basis is RuleBasis.SILENT) == bool(source_text):
        raise _Problem(f"{where}: source_text must be empty if, and only if, the source is SILENT")
    return Rule(cell, _word(where, table, "decision", Decision), basis, _message(where, table), source_text)


def _override(where: str, rule: Rule, table: dict[str, Any]) -> Rule:
    decision = _word(where, table, "decision", Decision)
    message = _message(where, table) if "message" in table else rule.message
    if (decision, message) == (rule.decision, rule.message):
        return rule
    if rule.basis is not RuleBasis.SILENT and not _is_tightened(rule, decision):
        raise _Problem(
            f"{where}: {rule.cell} is {rule.basis.name} in the source: only SILENT cells may be changed, "
            "and PROSE cells of a frozen state from ALLOW to DENY"
        )
    if "message" not in table:
        message = f"{rule.cell.operation.name} is decided by this deployment's own policy: {decision.name}."
    return replace(rule, decision=decision, basis=RuleBasis.OVERRIDE, message=message)


def _is_tightened(rule: Rule, decision: Decision) -> bool:
    """Whether a PROSE cell of a frozen state changes from ALLOW to DENY."""
    is_frozen = rule.cell.freeze_state is not FreezeState.NORMAL
    return is_frozen and rule.basis is RuleBasis.PROSE and (rule.decision, decision) == (Decision.ALLOW, Decision.DENY)


def _laxer_with_frozen_resources(rules: Mapping[Cell, Rule]) -> list[str]:
    """A problem for each operation that frozen resources allow but a frozen account denies."""
    problems = []
    for cell, rule in rules.items():
        if cell.freeze_state is FreezeState.ACCOUNT_AND_RESOURCES_FROZEN and rule.decision is Decision.ALLOW:
            account = replace(cell, freeze_state=FreezeState.ACCOUNT_FROZEN)
            if rules[account].decision is Decision.DENY:
                problems.append(f"{cell} must not be allowed while {account} is denied")
    return problems


def _word(where: str, table: dict[str, Any], key: str, words: type[_Word]) -> _Word:
    if key not in table:
        raise _Problem(f"{where}: {key} is missing")
    return _named(where, key, table[key], words)


def _named(where: str, key: str, value: object, words: type[_Word]) -> _Word:
    if not isinstance(value, str) or value not in words.__members__:
        raise _Problem(f"{where}: {key} must be one of {', '.join(words.__members__)}, but is {value!r}")
    return words[value]


def _text(where: str, table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise _Problem(f"{where}: {key} must be a string, but is {value!r}")
    return value


def _message(where: str, table: dict[str, Any]) -> str:
    message = _text(where, table, "message")
    if not 1 <= len(message) <= MESSAGE_LIMIT or not message.isprintable():
        raise _Problem(f"{where}: message must have 1 to {MESSAGE_LIMIT} printable characters, but has {len(message)}")
    return message
