"""Making plans, revising them and taking them off the list."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from chassis.audit.acts import PLATFORM
from chassis.database import Transaction
from services.billing.errors import EtagMismatch, PlanArchived, PlanExists, PlanInvalid, PlanNotFound
from services.billing.models import Plan
from services.billing.store.plans import Plans, Versioned, add_version, insert_plan
from wrtn.billing.v1.plans_pb2 import PlanTerms


async def create(tx: Transaction, key: str, terms: PlanTerms) -> Versioned:
    """Makes a plan; raises PlanExists and PlanInvalid."""
    _check(terms)
    plan_id = tx.clock.new_id()
    if not await insert_plan(tx, plan_id, key, terms):
        raise PlanExists("There is a plan with this key: revise that one.", field="plan.key")
    tx.audit("plan.created", tenant_id=PLATFORM, target_id=plan_id, version=1)
    return await found(tx, plan_id)


async def revise(tx: Transaction, plan_id: UUID, etag: str, terms: PlanTerms) -> Versioned:
    """Adds a version; raises PlanNotFound, PlanArchived, PlanInvalid and EtagMismatch."""
    _check(terms)
    plan = await _locked(tx, plan_id, etag)
    if plan.archive_time is not None:
        raise PlanArchived("The plan is off the list: create another one.", field="plan_id")
    plan.version += 1
    add_version(tx, plan_id, plan.version, terms)
    tx.audit("plan.revised", tenant_id=PLATFORM, target_id=plan_id, version=plan.version)
    return await found(tx, plan_id)


async def archive(tx: Transaction, plan_id: UUID, etag: str) -> Versioned:
    """Takes a plan off the list; repeating it changes nothing. Raises PlanNotFound and EtagMismatch."""
    plan = await _locked(tx, plan_id, "")
    if plan.archive_time is None:
        _compare(plan, etag)
        plan.archive_time = tx.now
        tx.audit("plan.archived", tenant_id=PLATFORM, target_id=plan_id)
    else:
        tx.audit("plan.unchanged", tenant_id=PLATFORM, target_id=plan_id)
    return await found(tx, plan_id)


async def found(tx: Transaction, plan_id: UUID) -> Versioned:
    """Answers the plan in its newest version; raises PlanNotFound."""
    plan = await Plans(tx).get(plan_id)
    if plan is None:
        raise PlanNotFound("The plan does not exist.", field="plan_id")
    return plan


def etag_of(plan: Plan) -> str:
    """Answers what changes with each change of the plan."""
    return f"{plan.version}a" if plan.archive_time is not None else str(plan.version)


async def _locked(tx: Transaction, plan_id: UUID, etag: str) -> Plan:
    plan = await Plans(tx).lock(plan_id)
    if plan is None:
        raise PlanNotFound("The plan does not exist.", field="plan_id")
    _compare(plan, etag)
    return plan


def _compare(plan: Plan, etag: str) -> None:
    if etag and etag != etag_of(plan):
        raise EtagMismatch("The plan was changed since: read it again.", field="etag")


def _check(terms: PlanTerms) -> None:
    currencies = [price.currency for price in terms.prices]
    if len(set(currencies)) < len(currencies):
        raise PlanInvalid("A plan has one price in each currency.", field="terms.prices")
    if terms.included_tokens and any(Decimal(price.included_credits or 0) for price in terms.prices):
        raise PlanInvalid("A plan includes credits or tokens, not both.", field="terms.included_tokens")
