"""Publishing a bundle: entry, upload, version. Used by `publish` and by the demo."""

from collections.abc import Callable
from contextlib import suppress

from extctl.bundling import CheckedBundle
from extctl.client import RegistryClient
from extctl.records import PublishedVersion
from shared.errors import RegistryEntryExistsError


async def publish_bundle(
    client: RegistryClient,
    bundle: CheckedBundle,
    *,
    envelope: bytes,
    sent: Callable[[int], None] = lambda _size: None,
) -> PublishedVersion:
    """Publishes a checked bundle, creating its registry entry when there is none.

    Args:
        client: the registry.
        bundle: what to publish.
        envelope: its signature; empty when it has none.
        sent: is told the size of each part that was uploaded.

    Raises:
        ExtensionError: what the registry refused it for.
    """
    manifest = bundle.manifest
    if not await client.has_entry(bundle.extension):
        with suppress(RegistryEntryExistsError):  # somebody else may create it in the meantime
            await client.create_entry(
                publisher=manifest.publisher,
                name=manifest.name,
                display_name=manifest.display_name or "",
                description=manifest.description or "",
            )
    await client.upload(bundle.data, bundle.content_hash, sent=sent)
    return await client.add_version(bundle.extension, bundle.content_hash, envelope)
