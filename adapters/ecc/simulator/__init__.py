"""A simulated SAP ECC 6.0: RFC sessions, locks with scopes, an update task, sales orders, customers, Z modules."""
