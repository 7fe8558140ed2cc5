"""Which message travels under which routing key: the contract with other systems."""

from msgspec import Struct

from schemas import messages as m

EVENTS = "orderbus.events"
"""Topic exchange: facts, from adapters, to whoever subscribes."""
COMMANDS = "orderbus.commands"
"""Direct exchange: what the router decided, from the router alone."""


class Topic(Struct, frozen=True):
    """One kind of message and the way it travels."""

    body: type[m.Body]
    """The struct that its JSON body decodes to."""
    exchange: str
    routing_key: str

    @property
    def type_name(self) -> str:
        """CloudEvents ``type``; a new, incompatible body gets a new version here."""
        return f"orderbus.{self.routing_key}.v1"


TOPICS: tuple[Topic, ...] = (
    Topic(m.OrderPlaced, EVENTS, "order.placed"),
    Topic(m.OrderHeld, EVENTS, "order.held"),
    Topic(m.CustomerRegistered, EVENTS, "customer.registered"),
    Topic(m.CustomerUpdated, EVENTS, "customer.updated"),
    Topic(m.OrderReleased, EVENTS, "order.released"),
    Topic(m.OrderWithdrawn, EVENTS, "order.withdrawn"),
    Topic(m.OrderSynced, EVENTS, "order.synced"),
    Topic(m.OrderCleared, EVENTS, "order.cleared"),
    Topic(m.OrderAcknowledged, EVENTS, "order.acknowledged"),
    Topic(m.AddSalesOrder, COMMANDS, "ecc.order.add"),
    Topic(m.HoldOrder, COMMANDS, "ecc.order.hold"),
    Topic(m.RegisterCustomer, COMMANDS, "ecc.customer.register"),
    Topic(m.ReleaseOrders, COMMANDS, "ecc.orders.release"),
    Topic(m.FetchOrder, COMMANDS, "magento.order.fetch"),
)
"""Every message of the bus."""

TOPIC_OF: dict[type[m.Body], Topic] = {topic.body: topic for topic in TOPICS}
"""The topic of each body type."""
TOPIC_NAMED: dict[str, Topic] = {topic.type_name: topic for topic in TOPICS}
"""The topic of each CloudEvents type name."""
