"""A simulated Magento Open Source 2.4.7: real state behind the REST API, answering as the recordings do.

Nothing of it reaches a real shop; start it with ``server.Simulator`` or ``orderbus simulate magento``.
"""
