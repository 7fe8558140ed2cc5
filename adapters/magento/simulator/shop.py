"""What the parts of one simulated shop share."""

from msgspec import Struct

from .config import SimulatorConfig
from .state import State
from .stores import Stores


class Shop(Struct, frozen=True):
    """One simulated shop."""

    config: SimulatorConfig
    state: State
    stores: Stores

    @property
    def discount_on_gross(self) -> bool:
        """Whether percentages of discounts apply to gross prices."""
        return self.config.discount_on_gross
