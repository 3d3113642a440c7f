"""How credits burn: by priority, then by expiry, then by age. A part of statements that take credits.

The tenants' ledgers are locked before, by another statement: only so this one sees the lots as they are.
"""

from __future__ import annotations

BURN = """
ranked AS (
    SELECT lot.tenant_id, lot.id,
           least(lot.remaining, wanted.amount - coalesce(sum(lot.remaining) OVER before, 0)) AS part
    FROM wanted JOIN wrtn_wallet_lots AS lot USING (tenant_id)
    WHERE lot.remaining > 0 AND (lot.expire_time IS NULL OR lot.expire_time > %(now)s)
    WINDOW before AS (PARTITION BY lot.tenant_id ORDER BY lot.priority, lot.expire_time, lot.sequence
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
parts AS (
    UPDATE wrtn_wallet_lots AS lot SET remaining = lot.remaining - ranked.part
    FROM ranked WHERE ranked.part > 0 AND (lot.tenant_id, lot.id) = (ranked.tenant_id, ranked.id)
    RETURNING lot.tenant_id, ranked.part
),
burnt AS (
    UPDATE wrtn_wallets AS wallet SET balance = wallet.balance - taken.amount, update_time = %(now)s
    FROM (SELECT tenant_id, sum(part) AS amount FROM parts GROUP BY tenant_id) AS taken
    WHERE wallet.tenant_id = taken.tenant_id
    RETURNING wallet.tenant_id, taken.amount
)"""
"""From `wanted` (tenant_id, amount) to `burnt` (tenant_id, amount): what the credits cover of it."""

UNBURN = """
ranked AS (
    SELECT lot.tenant_id, lot.id, least(gone, wanted.amount - coalesce(sum(gone) OVER before, 0)) AS part
    FROM wanted JOIN wrtn_wallet_lots AS lot USING (tenant_id)
    CROSS JOIN LATERAL (SELECT lot.amount - lot.remaining - lot.refunded AS gone) AS spent
    WHERE gone > 0 AND (lot.expire_time IS NULL OR lot.expire_time > %(now)s)
    WINDOW before AS (PARTITION BY lot.tenant_id
                      ORDER BY lot.priority DESC, lot.expire_time DESC, lot.sequence DESC
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
parts AS (
    UPDATE wrtn_wallet_lots AS lot SET remaining = lot.remaining + ranked.part
    FROM ranked WHERE ranked.part > 0 AND (lot.tenant_id, lot.id) = (ranked.tenant_id, ranked.id)
    RETURNING lot.tenant_id, ranked.part
),
returned AS (
    UPDATE wrtn_wallets AS wallet SET balance = wallet.balance + given.amount, update_time = %(now)s
    FROM (SELECT tenant_id, sum(part) AS amount FROM parts GROUP BY tenant_id) AS given
    WHERE wallet.tenant_id = given.tenant_id
    RETURNING wallet.tenant_id, given.amount
)"""
"""From `wanted` (tenant_id, amount) to `returned` (tenant_id, amount): what burnt last is there again first.

Nothing comes back into lots that are past their time.
"""
