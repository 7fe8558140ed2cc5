"""Healing: the messages that findings call for, published once each."""

import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from adapters.magento.history import placements
from adapters.magento.shop import Shop
from orderbus.reconciliation.compare import Finding, PlaceAgain
from schemas.envelope import Publication, Publish
from schemas.messages import CustomerRegistered
from schemas.topics import TOPIC_OF

PUBLICATIONS = uuid.UUID("7b0d4b1e-6f53-5d0a-8f0c-2f4f9b6f2d57")
"""Name space of message ids."""
REMEMBERED = 50_000
"""Customers of one sweep whose registration is not published again; more than these only make more messages."""


class Repairs:
    """Publishes what heals the findings of one sweep.

    A message's id derives from the sweep and what it is about: it differs from that of the message it repeats, so that
    nobody who knows that one passes it over, and within a sweep the same thing makes the same message.

    Parameters
    ----------
    shop:
        Where orders are read again that are to be placed again.
    publish:
        Publishes, and returns once the broker has confirmed.
    sweep:
        Names the sweep.
    """

    def __init__(self, shop: Shop, publish: Publish, sweep: str) -> None:
        self._shop = shop
        self._publish = publish
        self._sweep = sweep
        self._customers: OrderedDict[str, None] = OrderedDict()

    async def make(self, findings: Sequence[Finding]) -> dict[Finding, str]:
        """Publish what heals these findings.

        Returns
        -------
        dict
            The routing key of the message that was published for each finding that has one. One customer's
            registration heals all of the customer's orders.

        Raises
        ------
        Failure
            The shop could not be asked, or the broker did not confirm: none of it may be taken for published.
        """
        again = {one.repair.ref.order_id for one in findings if isinstance(one.repair, PlaceAgain)}
        placed = await placements(self._shop, again) if again else {}
        made: dict[Finding, Publication] = {}
        for finding in findings:
            publication = self._publication(finding, placed)
            if publication is not None:
                made[finding] = publication
        fresh = {one.id: one for one in made.values() if one.id not in self._customers}
        if fresh:
            await self._publish(list(fresh.values()))
        self._remember(one.id for one in fresh.values() if isinstance(one.body, CustomerRegistered))
        return {finding: TOPIC_OF[type(one.body)].routing_key for finding, one in made.items()}

    def _publication(self, finding: Finding, placed: Mapping[str, Publication]) -> Publication | None:
        if finding.repair is None:
            return None
        if isinstance(finding.repair, PlaceAgain):
            first = placed.get(finding.repair.ref.order_id)
            return None if first is None else replace(first, id=self._id(first.id))
        body, ref = finding.repair, finding.ref
        about = body.customer_key if isinstance(body, CustomerRegistered) else ref.subject
        return Publication(
            body=body,
            id=self._id(f"{TOPIC_OF[type(body)].routing_key}/{about}"),
            correlation_id=ref.correlation_id,
            subject=ref.subject,
        )

    def _id(self, about: str) -> str:
        return str(uuid.uuid5(PUBLICATIONS, f"{self._sweep}/{about}"))

    def _remember(self, ids: Iterable[str]) -> None:
        self._customers.update(dict.fromkeys(ids))
        while len(self._customers) > REMEMBERED:
            self._customers.popitem(last=False)
