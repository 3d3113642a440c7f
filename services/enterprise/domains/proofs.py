"""Looking for the proof that a domain is an enterprise's. Never inside a transaction."""

from __future__ import annotations

from uuid import UUID

import structlog
from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.name import from_text
from dns.rdtypes.ANY.TXT import TXT
from dns.resolver import NXDOMAIN, NoAnswer

from services.enterprise import txt_records
from services.enterprise.domains import domain_names
from services.enterprise.errors import DnsUnavailable
from services.enterprise.identity import Identity

_log = structlog.get_logger("services.enterprise.domains.proofs")


class Proofs:
    """Looks into the DNS, and asks identity."""

    def __init__(self, resolver: Resolver, identity: Identity) -> None:
        self._resolver = resolver
        self._identity = identity

    async def in_dns(self, domain: str, token: str) -> bool:
        """Whether the text record is there; raises DnsUnavailable if nobody can say."""
        wanted = txt_records.text(token)
        return any([wanted in await self._texts(name) for name in (txt_records.name(domain), domain)])

    async def by_address(self, domain: str, member_id: UUID) -> bool:
        """Whether the member has a verified address of the domain, where not anybody gets one."""
        if domain_names.is_free_mail(domain):
            return False
        addresses = await self._identity.addresses(member_id)
        return domain in {domain_names.of_address(each) for each in addresses}

    async def _texts(self, name: str) -> set[str]:
        """Answers the text records of the name; none if the DNS says that there are none."""
        try:
            answer = await self._resolver.resolve(from_text(name), "TXT")
        except (NXDOMAIN, NoAnswer):
            return set()
        except DNSException as error:
            _log.info("a text record could not be asked for", error=type(error).__name__)
            raise DnsUnavailable("The DNS does not answer for this domain.", retry_after=60) from error
        return {
            b"".join(record.strings).decode(errors="replace") for record in answer if isinstance(record, TXT)
        }
