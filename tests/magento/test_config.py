"""The configuration hides its secrets and refuses what cannot work."""

import msgspec
import pytest
from rich.pretty import pretty_repr

from adapters.magento.config import Bearer, MagentoConfig, OAuth1

SECRET = "marked-secret"


@pytest.mark.parametrize(
    "auth",
    [
        Bearer(token=SECRET),
        OAuth1(consumer_key=SECRET, consumer_secret=SECRET, access_token=SECRET, access_token_secret=SECRET),
    ],
)
def test_shows_no_secret(auth: Bearer | OAuth1) -> None:
    config = MagentoConfig(url="https://shop.example", auth=auth)
    assert SECRET not in repr(config)
    assert SECRET not in str(config)
    assert SECRET not in f"{config}"
    assert SECRET not in pretty_repr(config)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"url": "shop.example"}, "shop.example"),
        ({"url": "https://shop.example/?a=b"}, "query"),
        ({"url": "https://user:word@shop.example"}, "credentials"),
        ({"page_size": 0}, "$.page_size"),
        ({"page_sise": 5}, "page_sise"),
        ({"payment_gates": {"checkmo": "sometimes"}}, "$.payment_gates"),
        ({"orders_since": "yesterday"}, "$.orders_since"),
        ({"auth": {"type": "oauth1", "consumer_key": "a"}}, "$.auth"),
    ],
)
def test_refuses_what_cannot_work_and_says_where(change: dict[str, object], path: str) -> None:
    settings = {"url": "https://shop.example", "auth": {"type": "bearer", "token": "x"}} | change
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(settings, MagentoConfig)
    assert path in str(refused.value)
