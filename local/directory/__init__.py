"""A small Microsoft Entra directory: the Graph calls we make, the tokens we check, the mail we send.

It answers with the real error bodies and, on demand, with throttling, lost answers, late landings and replication lag.
"""
