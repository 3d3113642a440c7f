"""The one statement by which a batch of rated usages takes effect: rows, sums, wallets and ledger together.

Charges burn credits, one entry a batch and wallet; what these do not cover is owed.

Every table is written in the order of its key, and all replicas write the tables in the same order,
so that two batches wait for each other and never deadlock. `fresh` are the usages that were not there
yet: all else follows from them, so a usage that comes again changes nothing. The sums by account and holder
are added by a trigger of wrtn_usages (migration 0004), at the end of the same statement.
"""

from __future__ import annotations

from services.billing.ledger.chart import RECEIVABLE, USAGE_REVENUE, WALLET
from services.billing.usage.usages import RatedUsage
from services.billing.wallets.burning import BURN

LEDGER_IDS = ("tenants", "postings", "first_entries", "second_entries", "third_entries")
"""The parameters with each tenant and the ids of its posting and of its entries, which are three at most."""


def _kind(column: str) -> str:
    """Answers the type of a column whose name tells it."""
    return "uuid" if column.endswith("_id") else "bigint"


_TYPES = {
    "title": "smallint",
    "role": "smallint",
    "ancestor_team_ids": "text",
    "model": "text",
    "cost": "numeric",
    "currency": "text",
    "charge": "numeric",
    "charge_currency": "text",
    "price_rule_ids": "text",
    "use_time": "timestamptz",
}
_COLUMNS = ", ".join(RatedUsage._fields)
_ARRAYS = ", ".join(f"%({name})s::{_TYPES.get(name) or _kind(name)}[]" for name in RatedUsage._fields)
_VALUES = _COLUMNS.replace("_team_ids", "_team_ids::uuid[]").replace("rule_ids", "rule_ids::uuid[]")

_FRESH = f"""
fresh AS (
    INSERT INTO wrtn_usages ({_COLUMNS}, create_time)
    SELECT {_VALUES}, %(now)s
    FROM unnest({_ARRAYS}) AS incoming ({_COLUMNS})
    ORDER BY tenant_id, history_id
    ON CONFLICT DO NOTHING
    RETURNING *
)"""  # noqa: S608

_PATHS = """
paths AS (
    INSERT INTO wrtn_team_paths (tenant_id, id, team_ids)
    SELECT DISTINCT tenant_id, path_id, team_id || ancestor_team_ids FROM fresh WHERE team_id IS NOT NULL
    ORDER BY tenant_id, path_id
    ON CONFLICT DO NOTHING
)"""

_SUMS = "cost, charge, usage_count, unpriced_count, input_tokens, cached_input_tokens, output_tokens"
_SUMMED = """sum(cost), sum(charge), count(*), count(*) FILTER (WHERE price_id IS NULL), sum(input_tokens),
           sum(cached_input_tokens), sum(output_tokens)"""
_ADDED = """
    SET cost = kept.cost + excluded.cost, charge = kept.charge + excluded.charge,
        usage_count = kept.usage_count + excluded.usage_count,
        unpriced_count = kept.unpriced_count + excluded.unpriced_count,
        input_tokens = kept.input_tokens + excluded.input_tokens,
        cached_input_tokens = kept.cached_input_tokens + excluded.cached_input_tokens,
        output_tokens = kept.output_tokens + excluded.output_tokens"""
_DAY = "(use_time AT TIME ZONE 'UTC')::date"

_DAYS = f"""
days AS (
    INSERT INTO wrtn_cost_days AS kept (tenant_id, part_id, day, model, {_SUMS})
    SELECT tenant_id, part_id, {_DAY}, model, {_SUMMED}
    FROM fresh CROSS JOIN LATERAL (VALUES (tenant_id), (path_id)) AS part (part_id)
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, part_id, day, model) DO UPDATE {_ADDED}
)"""  # noqa: S608

# The ledger's row is locked before this statement and until the commit, so sequences have no gaps, balances
# follow one another, and the lots of wallets are seen as they are.
_LEDGER = f"""
amounts AS (
    SELECT tenant_id, charge_currency AS currency, sum(charge) AS amount
    FROM fresh GROUP BY 1, 2 HAVING sum(charge) <> 0
),
wanted AS (SELECT tenant_id, amount FROM amounts),{BURN},
lines AS (
    SELECT tenant_id, currency, ledger_account, side.amount,
           row_number() OVER (PARTITION BY tenant_id ORDER BY place) AS place
    FROM amounts LEFT JOIN burnt USING (tenant_id)
    CROSS JOIN LATERAL (VALUES
        (1, '{WALLET}', coalesce(burnt.amount, 0)),
        (2, '{RECEIVABLE}', amounts.amount - coalesce(burnt.amount, 0)),
        (3, '{USAGE_REVENUE}', -amounts.amount)) AS side (place, ledger_account, amount)
    WHERE side.amount <> 0
),
ledgers AS (
    UPDATE wrtn_ledgers AS kept
    SET last_sequence = kept.last_sequence + added.count, last_time = greatest(kept.last_time, %(now)s)
    FROM (SELECT tenant_id, count(*) FROM lines GROUP BY 1) AS added
    WHERE kept.tenant_id = added.tenant_id
    RETURNING kept.tenant_id, kept.last_sequence, kept.last_time
),
balances AS (
    INSERT INTO wrtn_ledger_balances AS kept (tenant_id, ledger_account, balance)
    SELECT tenant_id, ledger_account, amount FROM lines ORDER BY tenant_id, ledger_account
    ON CONFLICT (tenant_id, ledger_account) DO UPDATE SET balance = kept.balance + excluded.balance
    RETURNING tenant_id, ledger_account, balance
),
entries AS (
    INSERT INTO wrtn_ledger_entries (tenant_id, id, posting_id, sequence, ledger_account, amount, balance,
                                     currency, create_time)
    SELECT tenant_id, entry_ids[place], posting_id,
           last_sequence - count(*) OVER (PARTITION BY tenant_id) + place,
           ledger_account, amount, balance, currency, last_time
    FROM lines JOIN balances USING (tenant_id, ledger_account) JOIN ledgers USING (tenant_id)
    JOIN (SELECT tenant_id, posting_id, ARRAY[first_id, second_id, third_id] FROM
            unnest(%(tenants)s::uuid[], %(postings)s::uuid[], %(first_entries)s::uuid[],
                   %(second_entries)s::uuid[], %(third_entries)s::uuid[])
            AS each (tenant_id, posting_id, first_id, second_id, third_id))
        AS ids (tenant_id, posting_id, entry_ids) USING (tenant_id)
)"""  # noqa: S608

OPEN = """
INSERT INTO wrtn_ledgers (tenant_id, currency, last_sequence)
SELECT tenant_id, currency, 0
FROM unnest(%(tenants)s::uuid[], %(currencies)s::text[]) AS each (tenant_id, currency)
ORDER BY tenant_id
ON CONFLICT DO NOTHING
"""
LOCK = "SELECT FROM wrtn_ledgers WHERE tenant_id = ANY (%(tenants)s::uuid[]) ORDER BY tenant_id FOR UPDATE"
"""Locks all ledgers of the batch before `POST`, new ones too: one that `POST` made would be locked behind the
usages, and another batch that has it locked already may wait for these."""

POST = f"WITH {_FRESH}, {_PATHS}, {_DAYS}, {_LEDGER}\nSELECT tenant_id, history_id FROM fresh"
