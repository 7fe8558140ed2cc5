"""Magento over its REST API: orders, customers and write-backs; the only package that knows Magento."""
