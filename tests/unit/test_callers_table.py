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
    assert callers.value == {
        "sub:a": KnownCaller("sub:a", Role.OPERATOR),
        "dns:a.b": KnownCaller("dns:a.b", Role.PARTNER_CENTER, frozenset({"p-1", "p-2"})),
        "spiffe://a/b": KnownCaller("spiffe://a/b", Role.PARTNER_CENTER),
    }
    assert callers.passed_over == ()


def test_every_problem_is_named_in_its_place() -> None:
    assert problems_of(
        table(principal="a", role="boss", rule="x"),
        table(),
        table(),
        {},
    ) == (
        (
            "callers 1: rule cannot be set here, only partners, principal, role; principal must be "
            "spiffe://trust-domain/path, dns:host.name in lower case or sub:SUBJECT, but is 'a'; "
            "role must be one of partner-center, control-plane, auditor, operator, but is 'boss'"
        ),
        "callers 2: sub:a is listed 2 times, so it has no role",
        "callers 3: sub:a is listed 2 times, so it has no role",
        (
            "callers 4: principal must be spiffe://trust-domain/path, dns:host.name in lower case or sub:SUBJECT, "
            "but is None; role must be one of partner-center, control-plane, auditor, operator, but is None"
        ),
    )


@pytest.mark.parametrize(
    "partners", [None, [], "none", "p-1", ["p 1"], ["p-1", 2], [["p-1"]], [f"p-{i}" for i in range(101)], {}, True]
)
def test_nobody_gets_all_partners_by_omission(partners: object) -> None:
    bound = table(role="partner-center", **({} if partners is None else {"partners": partners}))
    rule = 'callers 1: partners must be a list of 1 to 100 partner ids, or "all", but is '
    assert problems_of(bound)[0].startswith(rule)


@pytest.mark.parametrize("role", ["control-plane", "auditor", "operator"])
def test_only_the_partner_center_is_bound_to_partners(role: str) -> None:
    for partners in (["p-1"], "all", None):
        assert problems_of(table(role=role, partners=partners)) == (
            "callers 1: partners is for the role partner-center only",
        )


@pytest.mark.parametrize("tables", [None, [], {}, "sub:a", 7, True])
def test_what_is_no_list_of_tables_is_refused(tables: object) -> None:
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


BAD_TABLES: dict[str, Any] = {
    "unknown role": table(principal="dns:bad.test", role="boss"),
    "no role": {"principal": "dns:bad.test"},
    "unknown key": table(principal="dns:bad.test", role="partner-center", partner=["p-1"]),
    "no partners": table(principal="dns:bad.test", role="partner-center"),
    "empty partners": table(principal="dns:bad.test", role="partner-center", partners=[]),
    "impossible partners": table(principal="dns:bad.test", role="partner-center", partners=["p-1", "p 2"]),
    "partners of another role": table(principal="dns:bad.test", partners="all"),
    "capital letters": table(principal="dns:Bad.test"),
    "a space": table(principal=" dns:bad.test "),
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_a_table_that_cannot_be_used_is_passed_over_and_its_principal_has_no_role(kind: str) -> None:
    callers = parse_callers([table(), BAD_TABLES[kind], table(principal="dns:good.test")])
    assert callers.value == {
        "sub:a": KnownCaller("sub:a", Role.OPERATOR),
        "dns:bad.test": KnownCaller("dns:bad.test", None, frozenset()),
        "dns:good.test": KnownCaller("dns:good.test", Role.OPERATOR),
    }
    (problem,) = callers.passed_over
    assert problem.startswith("callers 2: ")


@pytest.mark.parametrize("bad", [7, "sub:b", None, [], {}, {"principal": 7}, {"principal": ""}])
def test_what_names_nobody_is_passed_over_too(bad: object) -> None:
    callers = parse_callers([bad, table()])
    assert {name for name, caller in callers.value.items() if caller.role} == {"sub:a"}
    assert len(callers.passed_over) == 1


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_a_principal_of_a_good_table_and_one_that_is_passed_over_has_no_role(kind: str) -> None:
    """Which of both is meant is not known, so neither counts."""
    good = table(principal="dns:bad.test", role="operator")
    for tables in ([table(), good, BAD_TABLES[kind]], [table(), BAD_TABLES[kind], good]):
        assert parse_callers(tables).value["dns:bad.test"] == KnownCaller("dns:bad.test", None, frozenset())


def test_a_problem_is_one_line_whatever_the_file_holds() -> None:
    (problem,) = parse_callers([table(), {"a\nb": 1, "principal": "c\nd", "role": "e\nf"}]).passed_over
    assert problem.isprintable()
