"""The use cases, held against chance: workers that die, freeze and meet, and an outside that fails, lags and answers late."""
