"""The service ``ecc-customers``: a held order's customer is found in ECC, or created where configuration says so."""

from collections.abc import Sequence

from msgspec.structs import replace

from adapters.ecc.config import EccConfig
from adapters.ecc.failures import check_return
from adapters.ecc.mapping.customer import registered, registration_row
from adapters.ecc.sessions import Sessions
from schemas.envelope import Handler, Message
from schemas.failures import Permanent
from schemas.messages import Body, RegisterCustomer


def register_customers(sessions: Sessions, config: EccConfig) -> Handler[RegisterCustomer]:
    """Return the handler that registers a customer, or only looks it up in ``manual`` mode; it blocks.

    A customer that people have yet to register leads to no message here: the service ``ecc-registrations`` notices it.
    """
    find_only = config.registration == "manual"

    def register(message: Message[RegisterCustomer]) -> Sequence[Body]:
        command = message.body
        customer = command.customer
        row = registration_row(command, config)
        with sessions.take() as session:
            answer = session.call(
                "Z_ORDERBUS_CUSTOMER_REGISTER", IS_CUSTOMER=row, IV_FIND_ONLY="X" if find_only else ""
            )
        where = f"Registering a customer of store {customer.store}"
        check_return(answer["RETURN"], where, config.transient_messages)
        found = answer["ES_CUSTOMER"]
        if found["KUNNR"]:
            # The order knows best which account it came from; people may have left these fields empty.
            known = registered(found)
            return [
                replace(
                    known,
                    customer_key=customer.key,
                    website=customer.website,
                    store=customer.store,
                    account_id=customer.account_id,
                    email=known.email or command.email,
                    original_email=known.original_email or customer.email,
                )
            ]
        if find_only:
            return ()
        raise Permanent(
            f"{where}: ECC reported no error, but gave no customer number.",
            "Run Z_ORDERBUS_CUSTOMER_REGISTER with the customer's values in ECC (SE37) to see why, and retry.",
        )

    return register
