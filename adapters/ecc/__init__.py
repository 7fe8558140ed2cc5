"""SAP ECC over RFC: sales orders, pending orders and customers; the only package that knows SAP."""
