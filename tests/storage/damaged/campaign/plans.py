"""The trials of a campaign: half of the damage is in the trees of customers and events, half happens while serving."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator

from storage.damaged.pages import PAGE_SIZE

from .damages import IN_TREES, OF_FILES, Damage
from .prepared import TREES, Prepared
from .trial import Plan, Verdict

TOGETHER = 20
"""Damages in different pages that share a trial. Each customer that is answered is judged by itself.

Pages of customers never share one with pages of events: a customer is unknown where both are hidden.
"""


def make_plans(prepared: Prepared, damages: int, seed: int) -> list[Plan]:
    """So many damages: of pages together, of files each alone. Both answers for unknown customers in turn."""
    chance = random.Random(seed)
    of_files = [OF_FILES[number % len(OF_FILES)](prepared, chance) for number in range(damages // 2)]
    of_pages = [IN_TREES[number % len(IN_TREES)](prepared, chance) for number in range(damages - damages // 2)]
    of_pages += [damage for damage in of_files if damage.writes and not damage.ending]
    of_files = [damage for damage in of_files if not damage.writes or damage.ending]
    chance.shuffle(of_pages)
    customers = {(number - 1) * PAGE_SIZE for number in prepared.pages["customers"]}
    of_customers = [damage for damage in of_pages if not _is_apart(damage, customers)]
    others = [damage for damage in of_pages if _is_apart(damage, customers)]
    plans: list[Plan] = []
    served = planned = 0
    for together in [*([damage] for damage in of_files), *_apart(of_customers), *_apart(others)]:
        planned += len(together)
        # What is beside the database is damaged as a crash left it.
        is_crashed = bool(together[0].ending)
        is_served = not is_crashed and 2 * served < planned
        served += len(together) if is_served else 0
        unknown = "deny" if len(plans) % 2 else "allow"
        plans.append(Plan(len(plans), tuple(together), is_served, unknown, is_crashed))
    chance.shuffle(plans)
    return plans


def _is_apart(damage: Damage, places: set[int]) -> bool:
    return places.isdisjoint(place for place, _ in damage.writes)


def _apart(damages: Iterable[Damage]) -> Iterator[list[Damage]]:
    """Groups of damages, none of which write to the same page."""
    together: list[Damage] = []
    taken: set[int] = set()
    for damage in damages:
        places = {place for place, _ in damage.writes}
        if len(together) == TOGETHER or places & taken:
            yield together
            together, taken = [], set()
        together.append(damage)
        taken |= places
    if together:
        yield together


def summarize(results: Iterable[tuple[Plan, Verdict]]) -> dict[str, object]:
    """The counts of a campaign."""
    totals: Counter[str] = Counter()
    for plan, verdict in results:
        totals["trials"] += 1
        totals["damages"] += len(plan.damages)
        totals["damages in the trees of customers and events"] += sum(one.where in TREES for one in plan.damages)
        totals["damages while serving"] += len(plan.damages) if plan.is_served else 0
        totals[f"trials: {verdict.outcome}"] += 1
        totals[f"trials: verify: {verdict.verify}"] += 1
        totals["frozen customers answered as unknown ones"] += len(verdict.lost)
        totals["frozen customers answered in an older state at first"] += len(verdict.reverted)
        totals["frozen customers answered in an older state after the documented time"] += len(verdict.late)
        totals.update({f"answers: {answer}": number for answer, number in verdict.answers.items()})
        totals["bad trials"] += not verdict.is_good
    return dict(sorted(totals.items()))
