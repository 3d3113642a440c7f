"""The people: members sign up, read their mail and sign in."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass

import httpx

from tests.replay.rest import Refused, Rest

MAIL_PATIENCE_SECONDS = 180


@dataclass
class Member:
    """A member of the replay, with the account that acts for them."""

    email: str
    password: str
    name: str
    id: str = ""
    account_id: str = ""
    access_token: str = ""

    async def join(self, rest: Rest, mail: str, key: str) -> None:
        """Signs up, verifies the address by the mail that came, and signs in; repeating it is safe."""
        if not await self._try_sign_in(rest):
            body = {"email": self.email, "password": self.password, "displayName": self.name}
            await rest.call("POST", "/v1/members", key=f"{key}/register", body=body)
            token = await mailed_token(mail, self.email)
            try:
                await rest.call("POST", "/v1/emails:verify", body={"token": token})
            except Refused as refused:
                # The answer to the try before may have been lost after its effect.
                if refused.reason != "VERIFICATION_REFUSED":
                    raise
            await self.sign_in(rest)

    async def sign_in(self, rest: Rest) -> None:
        """Signs in and, if an account is chosen, acts with it from now on."""
        body = {"email": self.email, "password": self.password}
        pair = await rest.call("POST", "/v1/auth:signIn", body=body)
        self.id = pair["memberId"]
        if self.account_id and pair["accountId"] != self.account_id:
            try:
                change = {"refreshToken": pair["refreshToken"], "accountId": self.account_id}
                pair = await rest.call("POST", "/v1/auth:refresh", body=change)
            except Refused as refused:
                if refused.status != 401:
                    raise
                # A lost answer makes the next try a second use of the token: begin anew.
                await self.sign_in(rest)
                return
        self.access_token = pair["accessToken"]

    async def act(self, rest: Rest, account_id: str) -> None:
        """Changes the acting account."""
        self.account_id = account_id
        await self.sign_in(rest)

    async def _try_sign_in(self, rest: Rest) -> bool:
        try:
            await self.sign_in(rest)
        except Refused as refused:
            if refused.status != 401:
                raise
            return False
        return True


async def mailed_token(mail: str, address: str) -> str:
    """Waits for the verification mail and answers the code in it."""
    deadline = time.monotonic() + MAIL_PATIENCE_SECONDS
    async with httpx.AsyncClient(base_url=mail, timeout=10, trust_env=False) as client:
        while time.monotonic() < deadline:
            for message in await _caught(client, address):
                if found := re.search(r"^Code: (\S+)$", message["text"], re.MULTILINE):
                    return found[1]
            await asyncio.sleep(0.1)
    raise TimeoutError(f"no verification mail for {address} in {MAIL_PATIENCE_SECONDS} s")


async def _caught(client: httpx.AsyncClient, address: str) -> list[dict[str, str]]:
    try:
        return list((await client.get("/messages", params={"to": address})).json())
    except httpx.TransportError:
        return []
