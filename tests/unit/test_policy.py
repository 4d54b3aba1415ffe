"""The policy: its cells, its file, and what an operator may change."""

import re
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from frostgate_server.domain.enums import BillingMode, Decision, DecisionReason, FreezeState, Operation, RuleBasis
from frostgate_server.domain.errors import OperationNotApplicable
from frostgate_server.policy.loader import PolicyFileError, apply_override, load, parse_rules
from frostgate_server.policy.rules import Cell, Policy, existing_cells
from hypothesis import given
from hypothesis import strategies as st
from support.decision_table import CELLS, NO_CELLS, Place

BUILT_IN_TEXT = resources.files("frostgate_server.policy").joinpath("policy.toml").read_text("utf-8")
BUILT_IN = parse_rules("policy.toml", BUILT_IN_TEXT)
SILENT = [rule.cell for rule in BUILT_IN.values() if rule.basis is RuleBasis.SILENT]


def cell_at(place: Place) -> Cell:
    state, mode, operation = place
    return Cell(FreezeState[state], BillingMode[mode], Operation[operation])


def override(cell: Cell, decision: Decision, message: str | None = None) -> str:
    lines = [
        "[[rules]]",
        f'freeze_state = "{cell.freeze_state.name}"',
        f'billing_modes = ["{cell.billing_mode.name}"]',
        f'operation = "{cell.operation.name}"',
        f'decision = "{decision.name}"',
    ]
    return "\n".join([*lines, f'message = "{message}"'] if message else lines) + "\n"


@pytest.mark.parametrize("place", CELLS, ids="/".join)
def test_each_cell_is_that_of_the_source(place: Place) -> None:
    cell = cell_at(place)
    rule = load(None, Decision.DENY).rule(cell.freeze_state, cell.billing_mode, cell.operation)
    assert CELLS[place] == (rule.decision.name, rule.reason.name, rule.basis.name)


@pytest.mark.parametrize("place", NO_CELLS, ids="/".join)
def test_a_cell_that_does_not_exist_cannot_be_asked_for(place: Place) -> None:
    cell = cell_at(place)
    with pytest.raises(OperationNotApplicable):
        load(None, Decision.DENY).rule(cell.freeze_state, cell.billing_mode, cell.operation)


def test_the_policy_has_no_other_cells() -> None:
    assert {cell_at(place) for place in CELLS} == set(existing_cells())
    assert len(CELLS) == len(load(None, Decision.DENY).rules)


def test_messages_are_one_short_sentence_without_ids() -> None:
    for rule in BUILT_IN.values():
        assert re.fullmatch(r"[A-Z][^.]*\.", rule.message), rule.message
        assert len(rule.message) <= 80


def test_the_source_is_quoted_wherever_it_is_not_silent() -> None:
    assert {rule.cell for rule in BUILT_IN.values() if not rule.source_text} == set(SILENT)


def test_equal_policies_have_equal_versions_whatever_the_file() -> None:
    shuffled = Policy(reversed(list(BUILT_IN.values())), Decision.DENY)
    assert load(None, Decision.DENY).version == shuffled.version
    assert re.fullmatch(r"[0-9a-f]{16}", shuffled.version)


def test_the_version_changes_with_any_cell_and_with_the_setting() -> None:
    rules = list(BUILT_IN.values())
    versions = {Policy(BUILT_IN.values(), unknown).version for unknown in Decision}
    for place, rule in enumerate(rules):
        changed = [*rules[:place], replace(rule, message=rule.message + "!"), *rules[place + 1 :]]
        versions.add(Policy(changed, Decision.DENY).version)
    assert len(versions) == len(rules) + 2


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('operation = "RENEW"\nbilling_modes = ["YEARLY_MONTHLY"]', None, "NORMAL / YEARLY_MONTHLY / RENEW is missing"),
        ('operation = "RENEW"', 'operation = "PURCHASE"', "NORMAL / YEARLY_MONTHLY / PURCHASE is listed twice"),
        ('operation = "RENEW"', 'operation = "RENEWAL"', "operation must be one of PURCHASE, RENEW,"),
        (
            'operation = "RENEW"\nbilling_modes = ["YEARLY_MONTHLY"]',
            'operation = "RENEW"\nbilling_modes = ["YEARLY_MONTHLY", "SPOT"]',
            "NORMAL / SPOT / RENEW is not possible",
        ),
        ('decision = "ALLOW"', 'decision = "MAYBE"', "decision must be one of ALLOW, DENY, but is 'MAYBE'"),
        ('decision = "ALLOW"', "", "decision is missing"),
        ('basis = "PROSE"', 'basis = "OVERRIDE"', "OVERRIDE is for an operator's own file"),
        ('basis = "PROSE"', 'basis = "SILENT"', "source_text must be empty if, and only if"),
        ('basis = "PROSE"', 'base = "PROSE"', "base cannot be set here"),
        ('billing_modes = ["YEARLY_MONTHLY"]', "billing_modes = []", "billing_modes must be a list of at least one"),
        (
            'message = "The customer is not frozen."',
            'message = ""',
            "message must have 1 to 80 printable characters, but has 0",
        ),
        ('message = "The customer is not frozen."', "message = 1", "message must be a string, but is 1"),
        ("\n[[rules]]", "\n[rules", "is not valid TOML"),
        ("\n[[rules]]", "\n[[rule]]", "must have only [[rules]] tables"),
    ],
)
def test_a_faulty_policy_file_is_refused_by_the_name_of_the_fault(old: str, new: str | None, named: str) -> None:
    place = BUILT_IN_TEXT.index(old)
    if new is None:
        start, end = BUILT_IN_TEXT.rindex("[[rules]]", 0, place), BUILT_IN_TEXT.index("[[rules]]", place)
        text = BUILT_IN_TEXT[:start] + BUILT_IN_TEXT[end:]
    else:
        text = BUILT_IN_TEXT[:place] + new + BUILT_IN_TEXT[place + len(old) :]
    with pytest.raises(PolicyFileError, match=re.escape(named)):
        parse_rules("policy.toml", text)


def test_all_faults_of_a_policy_file_are_named_at_once() -> None:
    text = BUILT_IN_TEXT.replace('decision = "ALLOW"', 'decision = "MAYBE"', 2)
    with pytest.raises(PolicyFileError) as refused:
        parse_rules("policy.toml", text)
    assert sum("MAYBE" in problem for problem in refused.value.problems) == 2


def test_policy_files_of_operators_may_change_silent_cells_which_become_overrides(tmp_path: Path) -> None:
    view = Cell(FreezeState.ACCOUNT_FROZEN, BillingMode.YEARLY_MONTHLY, Operation.VIEW)
    file = tmp_path / "ours.toml"
    file.write_text(override(view, Decision.ALLOW, "Viewing is fine with us."))
    policy = load(file, Decision.DENY)
    rule = policy.rule(view.freeze_state, view.billing_mode, view.operation)
    assert (rule.decision, rule.basis, rule.message) == (Decision.ALLOW, RuleBasis.OVERRIDE, "Viewing is fine with us.")
    assert policy.version != load(None, Decision.DENY).version


TIGHTENABLE = [Cell(FreezeState.ACCOUNT_FROZEN, mode, Operation.ACCESS) for mode in BillingMode]
"""The PROSE cells of a frozen state that are allowed."""


@pytest.mark.parametrize("cell", TIGHTENABLE, ids=str)
def test_policy_files_of_operators_may_deny_access_to_the_resources_of_a_frozen_account(cell: Cell) -> None:
    assert (BUILT_IN[cell].decision, BUILT_IN[cell].basis) == (Decision.ALLOW, RuleBasis.PROSE)
    rule = apply_override("ours.toml", override(cell, Decision.DENY, "Frozen customers use nothing."), BUILT_IN)[cell]
    assert (rule.decision, rule.basis) == (Decision.DENY, RuleBasis.OVERRIDE)
    assert (rule.message, rule.reason) == ("Frozen customers use nothing.", DecisionReason.ACCOUNT_FROZEN)
    assert rule.source_text == BUILT_IN[cell].source_text


@pytest.mark.parametrize("cell", TIGHTENABLE, ids=str)
def test_policy_files_of_operators_cannot_change_only_the_message_of_what_the_source_says(cell: Cell) -> None:
    with pytest.raises(PolicyFileError, match="only SILENT cells may be changed"):
        apply_override("ours.toml", override(cell, Decision.ALLOW, "Allowed here."), BUILT_IN)


@pytest.mark.parametrize(
    "cell",
    [rule.cell for rule in BUILT_IN.values() if rule.basis is not RuleBasis.SILENT and rule.cell not in TIGHTENABLE],
    ids=str,
)
def test_policy_files_of_operators_cannot_change_what_the_source_says(cell: Cell) -> None:
    opposite = Decision.DENY if BUILT_IN[cell].decision is Decision.ALLOW else Decision.ALLOW
    with pytest.raises(PolicyFileError, match="only SILENT cells may be changed"):
        apply_override("ours.toml", override(cell, opposite), BUILT_IN)


def test_policy_files_of_operators_may_repeat_what_the_source_says() -> None:
    text = "".join(override(rule.cell, rule.decision) for rule in BUILT_IN.values())
    assert apply_override("ours.toml", text, BUILT_IN) == BUILT_IN


def test_frozen_resources_never_allow_what_a_frozen_account_denies() -> None:
    delete = Cell(FreezeState.ACCOUNT_AND_RESOURCES_FROZEN, BillingMode.SPOT, Operation.DELETE)
    with pytest.raises(PolicyFileError, match="must not be allowed while ACCOUNT_FROZEN / SPOT / DELETE is denied"):
        apply_override("ours.toml", override(delete, Decision.ALLOW), BUILT_IN)


def decided(cell: Cell, changes: dict[Cell, Decision]) -> Decision:
    return changes.get(cell, BUILT_IN[cell].decision)


@given(st.dictionaries(st.sampled_from(SILENT), st.sampled_from(Decision)))
def test_whatever_silent_cells_are_changed_the_rest_stays_and_frozen_resources_are_no_laxer(
    changes: dict[Cell, Decision],
) -> None:
    text = "".join(override(cell, decision) for cell, decision in changes.items())
    try:
        rules = apply_override("ours.toml", text, BUILT_IN)
    except PolicyFileError as refused:
        assert all("must not be allowed while" in problem for problem in refused.problems)  # noqa: PT017
        assert any(
            cell.freeze_state is FreezeState.ACCOUNT_AND_RESOURCES_FROZEN
            and decision is Decision.ALLOW
            and decided(replace(cell, freeze_state=FreezeState.ACCOUNT_FROZEN), changes) is Decision.DENY
            for cell, decision in changes.items()
        )
        return
    for cell, rule in rules.items():
        if decided(cell, changes) is BUILT_IN[cell].decision:
            assert rule == BUILT_IN[cell]
        else:
            assert (rule.decision, rule.basis) == (changes[cell], RuleBasis.OVERRIDE)
            assert len(rule.message) <= 80
        if cell.freeze_state is FreezeState.ACCOUNT_AND_RESOURCES_FROZEN and rule.decision is Decision.ALLOW:
            assert rules[replace(cell, freeze_state=FreezeState.ACCOUNT_FROZEN)].decision is Decision.ALLOW


def test_an_operators_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match=r"absent\.toml: cannot be read"):
        load(tmp_path / "absent.toml", Decision.DENY)


def test_an_operators_file_cannot_name_a_cell_twice_or_a_basis() -> None:
    view = Cell(FreezeState.ACCOUNT_FROZEN, BillingMode.YEARLY_MONTHLY, Operation.VIEW)
    with pytest.raises(PolicyFileError, match="VIEW is listed twice"):
        apply_override("ours.toml", override(view, Decision.ALLOW) * 2, BUILT_IN)
    with pytest.raises(PolicyFileError, match="basis cannot be set here"):
        apply_override("ours.toml", override(view, Decision.ALLOW) + 'basis = "LISTED"\n', BUILT_IN)
