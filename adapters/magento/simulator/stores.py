"""Store views, websites, regions: what a shop is set up with."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from .config import SimulatorConfig, Store, Website


class Region(Struct, frozen=True):
    """A known region of a country."""

    id: int
    country: str
    code: str
    name: str


REGIONS: Mapping[int, Region] = {
    region.id: region
    for region in (
        Region(12, "US", "CA", "California"),
        Region(43, "US", "NY", "New York"),
        Region(79, "DE", "NDS", "Niedersachsen"),
        Region(80, "DE", "BAW", "Baden-Württemberg"),
        Region(81, "DE", "BAY", "Bayern"),
        Region(82, "DE", "BER", "Berlin"),
        Region(83, "DE", "BRG", "Brandenburg"),
        Region(84, "DE", "BRE", "Bremen"),
        Region(85, "DE", "HAM", "Hamburg"),
        Region(86, "DE", "HES", "Hessen"),
        Region(87, "DE", "MEC", "Mecklenburg-Vorpommern"),
        Region(88, "DE", "NRW", "Nordrhein-Westfalen"),
        Region(89, "DE", "RHE", "Rheinland-Pfalz"),
        Region(90, "DE", "SAR", "Saarland"),
        Region(91, "DE", "SAS", "Sachsen"),
        Region(92, "DE", "SAC", "Sachsen-Anhalt"),
        Region(93, "DE", "SCN", "Schleswig-Holstein"),
        Region(94, "DE", "THE", "Thüringen"),
        Region(182, "FR", "1", "Ain"),
    )
}


class Stores:
    """The store views and websites of one shop."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._stores = config.stores
        self._websites = {website.id: website for website in config.websites}
        self.by_code = {store.code: store for store in config.stores}
        self.by_id = {store.id: store for store in config.stores}
        self.default = next(store for store in config.stores if store.id != 0)

    def website(self, store: Store) -> Website:
        """Return the website of a store view."""
        return self._websites[store.website_id]

    def known_website(self, website_id: int) -> bool:
        """Tell whether customers may belong to a website."""
        return website_id in self._websites and website_id != 0

    def first_of(self, website_id: int) -> Store:
        """Return the default store view of a website."""
        return next(store for store in self._stores if store.website_id == website_id)

    def rate(self, store: Store) -> Decimal:
        """Return units of the store's currency per unit of the base currency."""
        return Decimal(self.website(store).rate)

    def full_name(self, store: Store) -> str:
        """Return website, group and view, as an order's ``store_name`` says them."""
        return f"{self.website(store).name}\n{store.group_name}\n{store.name}"

    def views(self) -> list[dict[str, Any]]:
        """Return the answer to ``GET /V1/store/storeViews`` (recording ``auth/admin_bearer``)."""
        return [
            {
                "id": store.id,
                "code": store.code,
                "name": store.name,
                "website_id": store.website_id,
                "store_group_id": store.group_id,
                "is_active": 1,
            }
            for store in self._stores
        ]

    def websites(self) -> list[dict[str, Any]]:
        """Return the answer to ``GET /V1/store/websites``."""
        return [
            {
                "id": website.id,
                "code": website.code,
                "name": website.name,
                "default_group_id": self.first_of(website.id).group_id,
            }
            for website in self._websites.values()
        ]


def region_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the region fields of an order address: all of a known region, text twice, or none.

    Parameters
    ----------
    given:
        An address with ``region_id`` and/or ``region``.
    """
    known = REGIONS.get(int(given.get("region_id") or 0))
    if known:
        return {"region": known.name, "region_code": known.code, "region_id": known.id}
    text = given.get("region")
    return {"region": text, "region_code": text} if text else {}
