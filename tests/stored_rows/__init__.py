"""The tables of a whole tenant, as an earlier version wrote them: today's code must go on from there."""
