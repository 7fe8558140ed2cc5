"""Makes what the compose file needs and the tree must not hold: passwords, and the broker's users.

Run by ``make secrets``. Writes into ``compose/secrets/``: environment files, each with what one container needs and no
more, and RabbitMQ's definitions with the users that the table of services calls for. What is there already is kept, so
that a second run breaks nothing; after a change to the table, remove the directory and run it again.
"""

import argparse
import json
import os
import secrets
import sys
from pathlib import Path

from adapters.magento.simulator.config import INTEGRATION
from bus.permissions import OPERATOR, definitions
from orderbus.services import TABLE

VHOST = "orderbus"
DIRECTORY = Path(__file__).with_name("secrets")


def files() -> dict[str, str]:
    """Return the contents of each file by its name, with fresh passwords."""
    passwords = {name: secrets.token_urlsafe(24) for name in (OPERATOR, *(row.name for row in TABLE))}
    database, ecc = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    made = {
        f"{user}.env": f"ORDERBUS_BROKER_URL=amqp://{user}:{password}@rabbitmq:5672/{VHOST}\n"
        for user, password in passwords.items()
    }
    made["postgres.env"] = f"POSTGRES_USER=orderbus\nPOSTGRES_DB=orderbus\nPOSTGRES_PASSWORD={database}\n"
    made["database.env"] = f"ORDERBUS_DATABASE_URL=postgresql+psycopg://orderbus:{database}@postgres:5432/orderbus\n"
    made["ecc.env"] = f"ORDERBUS_ECC_PASSWORD={ecc}\n"
    # The simulated shop's; a real one shows its own when the integration is activated.
    made["magento.env"] = (
        f"MAGENTO_CONSUMER_KEY={INTEGRATION.consumer_key}\n"
        f"MAGENTO_CONSUMER_SECRET={INTEGRATION.consumer_secret}\n"
        f"MAGENTO_ACCESS_TOKEN={INTEGRATION.access_token}\n"
        f"MAGENTO_ACCESS_TOKEN_SECRET={INTEGRATION.token_secret}\n"
    )
    made["definitions.json"] = json.dumps(definitions(TABLE, passwords, vhost=VHOST), indent=2) + "\n"
    return made


def main() -> int:
    """Write the files and return the exit status."""
    parser = argparse.ArgumentParser(description="Make passwords for compose/, and the broker's users.")
    parser.add_argument("--directory", type=Path, default=DIRECTORY)
    directory: Path = parser.parse_args().directory
    made = files()
    lacking = [name for name in made if not (directory / name).exists()]
    if not lacking:
        print(f"{directory} has all that is needed; remove it to make everything anew.")  # noqa: T201
        return 0
    if len(lacking) < len(made):
        print(  # noqa: T201
            f"{directory} lacks {', '.join(lacking)}, and passwords must fit each other: "
            "remove it to make everything anew (a database keeps the password it was made with).",
            file=sys.stderr,
        )
        return 1
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    for name, contents in made.items():
        path = directory / name
        # RabbitMQ reads its definitions inside its container as a user of its own; they hold hashes.
        mode = 0o644 if name == "definitions.json" else 0o600
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(contents)
        path.chmod(mode)
    print(f"Wrote {len(made)} files to {directory}.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
