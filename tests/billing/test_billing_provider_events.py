"""Events of Stripe: believed only if Stripe signed them, and harmless in any order and number."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web
from google.api.httpbody_pb2 import HttpBody

from chassis.testing.logs import Logs
from chassis.testing.waiting import until
from services.billing.payments.stripe.signatures import is_signed
from tests.billing.fronted import gateway
from tests.billing.office import refused
from tests.billing.paying import CONFIRMED, SECRET_KEY, WEBHOOK_SECRET, Payer, PayWorld, State
from wrtn.billing.v1 import payments_pb2
from wrtn.billing.v1.payment_providers_pb2 import ReceiveStripeEventRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")
WEBHOOK = "/v1/paymentProviders/stripe/webhook"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def signed(body: bytes, at: datetime, secret: str = WEBHOOK_SECRET) -> str:
    """As Stripe signs."""
    stamp = int(at.timestamp())
    return f"t={stamp},v1={hmac.digest(secret.encode(), b'%d.%s' % (stamp, body), 'sha256').hex()}"


def event(payment: payments_pb2.Payment, event_id: str = "evt_1", **more: str) -> bytes:
    """An event about a payment; what else it claims, nobody should believe."""
    ours = {"tenant_id": payment.tenant_id, "payment_id": payment.id}
    about = {"object": "payment_intent", "id": "pi_unknown", "metadata": ours, "status": "succeeded", **more}
    return json.dumps(
        {"id": event_id, "type": "payment_intent.succeeded", "data": {"object": about}}
    ).encode()


async def send(world: PayWorld, body: bytes, signature: str | None = None) -> None:
    """Sends an event as the gateway does, well signed unless another signature is given."""
    given = signature if signature is not None else signed(body, world.running.runtime.clock.now())
    metadata = (("stripe-signature", given),) if given else ()
    await world.providers.ReceiveStripeEvent(
        ReceiveStripeEventRequest(event=HttpBody(data=body)), metadata=metadata
    )


async def waiting(world: PayWorld) -> tuple[Payer, payments_pb2.CreatePaymentResponse]:
    """A payment that waits for who pays."""
    payer = await world.payer()
    await payer.card(CONFIRMED)
    return payer, await payer.pay(await payer.invoice("20"))


@asynccontextmanager
async def receiver(client: httpx.AsyncClient) -> AsyncIterator[str]:
    """Listens at a URL for Stripe, and hands all to the gateway as it comes."""

    async def take(request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in ("Content-Type", "Stripe-Signature")}
        answer = await client.post(WEBHOOK, content=await request.read(), headers=headers)
        return web.Response(status=answer.status_code)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_what_stripe_itself_sends_settles_a_payment(world: PayWorld) -> None:
    payer, begun = await waiting(world)
    async with gateway(world.running) as client, receiver(client) as url:
        await world.stripe.webhook(url)
        await world.stripe.authenticate(begun.client_secret.partition("_secret_")[0], begun.client_secret)

        async def succeeded() -> bool:
            return (await payer.read(begun.payment)).state == State.STATE_SUCCEEDED

        await until(succeeded)
        forged = await client.post(WEBHOOK, content=b"{}", headers={"Stripe-Signature": "t=1,v1=00"})
        assert (forged.status_code, forged.json()["reason"]) == (400, "WEBHOOK_REFUSED")
    await world.stripe.webhook("http://127.0.0.1:1/")


async def test_an_event_is_only_a_hint_and_its_repetitions_change_nothing(world: PayWorld) -> None:
    payer, begun = await waiting(world)
    body = event(begun.payment)
    await send(world, body)
    assert (await payer.read(begun.payment)).state == State.STATE_ACTION_REQUIRED
    await world.stripe.authenticate(begun.client_secret.partition("_secret_")[0], begun.client_secret)
    # Its id was taken with its first effect; another one is heard, however old what it tells.
    await send(world, body)
    assert (await payer.read(begun.payment)).state == State.STATE_ACTION_REQUIRED
    for number in (2, 3, 3):
        await send(world, event(begun.payment, f"evt_{number}", status="requires_payment_method"))
    found = await payer.read(begun.payment)
    assert found.state == State.STATE_SUCCEEDED
    assert (await payer.balances())["cash:stripe"] == "20"
    heard = await payer.rows("SELECT count(*) FROM wrtn_inbox WHERE consumer = 'stripe'")
    assert heard[0][0] >= 3


async def test_an_event_finds_the_payment_whose_answer_was_lost(world: PayWorld) -> None:
    payer = await world.payer()
    await payer.card()
    invoice = await payer.invoice("20")
    await world.stripe.faults("lose")
    lost = (await payer.pay(invoice)).payment
    assert lost.state == State.STATE_PENDING
    (intent,) = [
        each
        for each in await world.stripe.list("payment_intents")
        if each["metadata"].get("payment_id") == lost.id
    ]
    await send(world, event(lost, "evt_lost", id=intent["id"]))
    assert (await payer.read(lost)).state == State.STATE_SUCCEEDED


async def test_what_stripe_did_not_sign_just_now_is_refused_and_changes_nothing(world: PayWorld) -> None:
    payer, begun = await waiting(world)
    await world.stripe.authenticate(begun.client_secret.partition("_secret_")[0], begun.client_secret)
    body, now = event(begun.payment, "evt_forged"), world.running.runtime.clock.now()
    good = signed(body, now)
    for signature in (
        "",
        "nonsense",
        "t=,v1=",
        signed(body, now, "whsec_other"),
        signed(body + b" ", now),
        signed(body, now - timedelta(minutes=6)),
        signed(body, now + timedelta(minutes=6)),
        good.replace("v1=", "v0="),
        f"t=1,{good}",
    ):
        assert (await refused(send(world, body, signature)))[0] == "WEBHOOK_REFUSED", signature
    large = b" " * (256 * 1024 + 1)
    assert (await refused(send(world, large)))[0] == "WEBHOOK_REFUSED"
    assert (await payer.read(begun.payment)).state == State.STATE_ACTION_REQUIRED


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"id": "evt_9", "data": {"object": {"object": "payment_intent", "id": "pi_1"}}}'],
)
async def test_a_signed_event_about_nothing_of_ours_is_taken_and_does_nothing(
    world: PayWorld, body: bytes
) -> None:
    await send(world, body)


async def test_an_event_of_another_system_on_the_same_account_is_taken(world: PayWorld) -> None:
    body = event(
        payments_pb2.Payment(tenant_id=str((await world.payer()).id), id=str((await world.payer()).id))
    )
    await send(world, body)


async def test_both_secrets_are_good_while_one_replaces_the_other() -> None:
    old, new = signed(b"x", NOON, "old"), signed(b"x", NOON, "new")
    both = f"{old},{new.partition(',')[2]}"
    assert is_signed(b"x", both, "old", NOON)
    assert is_signed(b"x", both, "new", NOON)
    assert not is_signed(b"x", both, "other", NOON)
    assert not is_signed(b"x", both, "", NOON)


async def test_no_secret_is_logged(world: PayWorld, logs: Logs) -> None:
    payer = await world.payer()
    await payer.card()
    await world.stripe.faults("lose")
    await payer.pay(await payer.invoice("20"))
    secrets: tuple[Any, ...] = (SECRET_KEY, WEBHOOK_SECRET, "_secret_")
    assert not [each for each in secrets if each in str(logs)]
    settings = world.running.runtime.settings.stripe()
    assert SECRET_KEY not in repr(settings)
    assert WEBHOOK_SECRET not in repr(settings)
