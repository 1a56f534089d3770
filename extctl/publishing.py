"""Publishing a bundle: entry, upload, version. Used by `publish` and by the demo."""

from collections.abc import Callable
from contextlib import suppress

from extctl.bundling import CheckedBundle
from extctl.client import RegistryClient
from extctl.owner_key import OwnerKey
from extctl.records import PublishedVersion
from extctl.stack_file import StackFile
from shared.errors import PublisherExistsError, RegistryEntryExistsError


async def publish_bundle(
    client: RegistryClient,
    bundle: CheckedBundle,
    *,
    owner: OwnerKey,
    envelope: bytes,
    sent: Callable[[int], None] = lambda _size: None,
) -> PublishedVersion:
    """Publishes a checked bundle, creating its registry entry when there is none.

    Args:
        client: the registry.
        bundle: what to publish.
        owner: an owner of its publisher.
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
                owner=owner,
                display_name=manifest.display_name or "",
                description=manifest.description or "",
            )
    await client.upload(bundle.data, bundle.content_hash, sent=sent)
    return await client.add_version(
        manifest.publisher, manifest.name, bundle.content_hash, owner=owner, envelope=envelope
    )


async def create_development_publisher(
    client: RegistryClient, stack: StackFile, publisher: str, owner: OwnerKey
) -> bool:
    """Registers a missing publisher, if its owner is to be the stack's development publisher.

    That key is made by `extctl up` for trying things out, so whatever name it publishes under
    first becomes its own. Any other key gets a name by `extctl publisher create` only.

    Returns:
        Whether the publisher was created.
    """
    if stack.publisher_key_file is None:
        return False
    development = OwnerKey.read_if_possible(stack.publisher_key_file, clock=owner.clock)
    if development is None or development.key.key_id != owner.key.key_id:
        return False
    if await client.publishers.find(publisher) is not None:
        return False
    with suppress(PublisherExistsError):  # somebody else may create it in the meantime
        await client.publishers.create(publisher, owner)
    return True
