"""Magento's side of the bus: orders come from here, customer numbers and order numbers go back."""
