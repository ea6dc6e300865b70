"""The purse: a budget for this run and one for the corpus, that requests in flight cannot overshoot.

What belongs here: reserving money before a request is sent and settling it after. What does not: prices
(core/prices.py) and what was spent before (resources/ledger.py).
"""

import asyncio


class Budget:
    """US dollars. `limit_usd` is what this run may still spend, None without a budget. Belongs to one event loop."""

    def __init__(self, limit_usd: float | None) -> None:
        self.limit_usd = limit_usd
        self.spent_usd = 0.0
        self.is_empty = False
        self._reserved_usd = 0.0
        self._settled = asyncio.Condition()

    @staticmethod
    def limit(
        run_budget_usd: float | None, budget_usd: float | None, spent_before_usd: float
    ) -> float | None:
        """What may be spent under both budgets, where the corpus has already cost `spent_before_usd`."""
        left = None if budget_usd is None else max(0.0, budget_usd - spent_before_usd)
        limits = [amount for amount in (run_budget_usd, left) if amount is not None]
        return min(limits, default=None)

    async def reserve(self, most_usd: float) -> bool:
        """Set aside the most a request can cost; False if the budget does not hold it. Waits for requests in flight,
        which mostly cost less than was set aside."""
        if self.limit_usd is None:
            return True
        async with self._settled:
            while (
                not self.is_empty
                and self.spent_usd + self._reserved_usd + most_usd > self.limit_usd
            ):
                if self._reserved_usd <= 1e-12:
                    self.is_empty = True
                    self._settled.notify_all()
                else:
                    await self._settled.wait()
            if not self.is_empty:
                self._reserved_usd += most_usd
            return not self.is_empty

    async def settle(self, reserved_usd: float, cost_usd: float | None) -> None:
        """Give back what was set aside, and take what it cost."""
        self.spent_usd += cost_usd or 0.0
        if self.limit_usd is not None:
            async with self._settled:
                self._reserved_usd = max(0.0, self._reserved_usd - reserved_usd)
                self._settled.notify_all()
