"""Tests of the Magento adapter."""
