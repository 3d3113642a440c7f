"""Files in a folder or an object store, encrypted in pieces before they leave the process."""

from chassis.blobs.store import Blob, BlobMissing, Blobs, BlobTooLarge

__all__ = ["Blob", "BlobMissing", "BlobTooLarge", "Blobs"]
