"""What a service holds about a member: handed out as documents, and destroyed with its keys."""

from chassis.subjects.documents import Document, Listing
from chassis.subjects.rpc import SubjectRpc
from chassis.subjects.subject import Subject

__all__ = ["Document", "Listing", "Subject", "SubjectRpc"]
