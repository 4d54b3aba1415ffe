"""The [[callers]] tables: who may call, with every problem named at once, in its place."""

from typing import Any

import pytest
from frostgate_server.config.callers_table import CallersError, KnownCaller, parse_callers
from frostgate_server.domain.principal import is_host, is_principal, is_spiffe_id
from frostgate_server.domain.roles import Role
from frostgate_server.rpc.methods import METHODS


def table(**more: Any) -> dict[str, Any]:
    return {"principal": "sub:a", "role": "operator", **more}


def problems_of(*tables: Any) -> tuple[str, ...]:
    with pytest.raises(CallersError) as refused:
        parse_callers(list(tables))
    return refused.value.problems


def test_callers_are_known_by_their_principals() -> None:
    callers = parse_callers(
        [
            table(),
            table(principal="dns:a.b", role="partner-center", partners=["p-1", "p-2"]),
            table(principal="spiffe://a/b", role="partner-center", partners="all"),
        ]
    )
    assert callers == {
        "sub:a": KnownCaller("sub:a", Role.OPERATOR),
        "dns:a.b": KnownCaller("dns:a.b", Role.PARTNER_CENTER, frozenset({"p-1", "p-2"})),
        "spiffe://a/b": KnownCaller("spiffe://a/b", Role.PARTNER_CENTER),
    }


def test_every_problem_is_named_in_its_place() -> None:
    assert problems_of(
        table(principal="a", role="boss", rule="x"),
        table(),
        table(),
        {},
    ) == (
        (
            "callers 1: rule cannot be set here, only partners, principal, role; principal must be "
            "spiffe://trust-domain/path, dns:host.name in lower case or sub:SUBJECT, is 'a'; "
            "role must be one of partner-center, control-plane, auditor, operator, is 'boss'"
        ),
        "callers 3: sub:a stands there twice",
        (
            "callers 4: principal must be spiffe://trust-domain/path, dns:host.name in lower case or sub:SUBJECT, "
            "is None; role must be one of partner-center, control-plane, auditor, operator, is None"
        ),
    )


@pytest.mark.parametrize(
    "partners", [None, [], "none", "p-1", ["p 1"], ["p-1", 2], [["p-1"]], [f"p-{i}" for i in range(101)], {}, True]
)
def test_nobody_gets_all_partners_by_omission(partners: object) -> None:
    bound = table(role="partner-center", **({} if partners is None else {"partners": partners}))
    assert problems_of(bound)[0].startswith('callers 1: partners must be a list of 1 to 100 partner ids, or "all", is ')


@pytest.mark.parametrize("role", ["control-plane", "auditor", "operator"])
def test_only_the_partner_center_is_bound_to_partners(role: str) -> None:
    for partners in (["p-1"], "all", None):
        assert problems_of(table(role=role, partners=partners)) == (
            "callers 1: partners is for the role partner-center only",
        )


@pytest.mark.parametrize("tables", [None, [], {}, "sub:a", ["sub:a"], [table(), 7]])
def test_what_is_no_table_is_refused(tables: object) -> None:
    with pytest.raises(CallersError, match=r"must be \[\[callers\]\] tables, at least one"):
        parse_callers(tables)


@pytest.mark.parametrize("role", ["", None, 7, ["operator"], "OPERATOR", {}])
def test_a_role_is_one_of_four_words(role: object) -> None:
    assert "role must be one of" in problems_of(table(role=role))[0]


@pytest.mark.parametrize(
    "good", ["spiffe://a/b", "spiffe://example.com/ns/x/sa/Y.z_-9", "spiffe://a/...", "spiffe://a/.b"]
)
def test_spiffe_ids(good: str) -> None:
    assert is_spiffe_id(good)
    assert is_principal(good)


@pytest.mark.parametrize(
    "bad",
    [
        *("spiffe://a", "spiffe://a/", "spiffe:///b", "spiffe://a//b", "spiffe://a/b/", "spiffe://A/b", "Spiffe://a/b"),
        *("spiffe://a/./b", "spiffe://a/..", "spiffe://a/b?c", "spiffe://a/b#c", "spiffe://a/%62", "spiffe://u@a/b"),
        *("spiffe://a:1/b", "spiffe://a/b\n", " spiffe://a/b", "spiffe://ä/b", "spiffe://a/ä", "https://a/b", ""),
        f"spiffe://a/{'b' * 2048}",
    ],
)
def test_what_is_no_spiffe_id(bad: str) -> None:
    assert not is_spiffe_id(bad)
    assert not is_principal(bad)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "*.a.b",
        "A.b",
        "a..b",
        ".a",
        "a.",
        "-a.b",
        "a-.b",
        "a b",
        "a\n",
        "ä.b",
        f"{'a' * 64}.b",
        "a." * 127 + "abc",
        "a:1",
    ],
)
def test_what_is_no_host(bad: str) -> None:
    assert not is_host(bad)
    assert not is_principal(f"dns:{bad}")


@pytest.mark.parametrize(
    ("principal", "good"),
    [
        ("sub:a b", True),
        ("sub:" + "a" * 256, True),
        ("sub:", False),
        ("sub:a\n", False),
        ("sub:" + "a" * 257, False),
        ("SUB:a", False),
        ("uid:a", False),
        ("anonymous", False),
    ],
)
def test_subjects(principal: str, good: bool) -> None:
    assert is_principal(principal) == good


def test_every_role_may_call_something_and_the_operator_everything() -> None:
    assert all(Role.OPERATOR in method.roles for method in METHODS.values())
    assert {role for method in METHODS.values() for role in method.roles} == set(Role)
