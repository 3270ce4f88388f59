"""Killing the real thing: the whole local tenant with the real SDKs, its parts killed with SIGKILL while people ask for access.

``make chaos`` is the long form (``python -m tests.chaos --help``); ``test_chaos.py`` plays a short one with each ``make test``.
"""
