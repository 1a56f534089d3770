"""What a version's life cycle means for those who have it installed, or want it."""

import pytest

from shared.errors import VersionQuarantinedError, VersionYankedError
from shared.pb.registry.v1 import install_service_pb2 as install_pb
from shared.pb.registry.v1 import registry_entry_pb2
from tests.fixtures.catalogue import Tool
from tests.fixtures.registry import new_tenant

STATUS = registry_entry_pb2.ExtensionVersion


async def test_a_deprecated_version_warns_names_what_to_use_and_stays_the_latest(
    tool: Tool,
) -> None:
    deprecated = await tool.deprecate("1.1.0", "leaks memory", replacement="1.0.0")
    assert deprecated.status == STATUS.STATUS_PUBLISHED
    assert deprecated.deprecation.reason == "leaks memory"
    assert deprecated.deprecation.replacement == "1.0.0"
    assert await tool.latest() == "1.1.0"
    installed = await tool.install("1.1.0")
    assert any("leaks memory" in each and "1.0.0" in each for each in installed.warnings)
    freed = (await tool.ask("Undeprecate", "1.1.0")).version
    assert not freed.HasField("deprecation")
    assert not any("deprecated" in each for each in (await tool.install("1.1.0")).warnings)


async def test_a_yanked_version_is_not_installed_but_goes_on_where_it_is(tool: Tool) -> None:
    tenant_id, other = new_tenant(), new_tenant()
    await tool.install("1.1.0", tenant_id)
    await tool.install("1.0.0", other)
    yanked = await tool.yank("1.1.0", "loses data")
    assert yanked.status == STATUS.STATUS_YANKED
    assert yanked.yank.reason == "loses data"
    with pytest.raises(VersionYankedError, match="loses data"):
        await tool.install("1.1.0")
    with pytest.raises(VersionYankedError):
        await tool.update("1.1.0", other)
    assert not (await tool.install("1.1.0", tenant_id)).changed  # it has it
    resolved = await tool.registry.resolve(tenant_id, tool.extension)
    assert resolved.install.version == "1.1.0"
    assert (await tool.unyank("1.1.0")).status == STATUS.STATUS_PUBLISHED
    assert (await tool.update("1.1.0", other)).install.version == "1.1.0"


async def test_a_quarantine_stops_a_version_everywhere_and_lifting_it_starts_it_again(
    tool: Tool,
) -> None:
    tenant_id, elsewhere = new_tenant(), new_tenant()
    await tool.install("1.1.0", tenant_id)
    await tool.install("1.0.0", elsewhere)
    await tool.registry.resolve(tenant_id, tool.extension)
    await tool.quarantine("1.1.0", "steals tokens")
    with pytest.raises(VersionQuarantinedError):
        await tool.registry.resolve(tenant_id, tool.extension)
    for refused in (
        tool.install("1.1.0"),
        tool.install("1.1.0", tenant_id),
        tool.update("1.1.0", elsewhere),
    ):
        with pytest.raises(VersionQuarantinedError):
            await refused
    assert (await tool.registry.resolve(elsewhere, tool.extension)).install.version == "1.0.0"
    assert (await tool.lift("1.1.0")).status == STATUS.STATUS_PUBLISHED
    resolved = await tool.registry.resolve(tenant_id, tool.extension)
    assert resolved.install.version == "1.1.0"


async def test_what_is_quarantined_runs_for_nobody_who_enables_it(tool: Tool) -> None:
    """Enabling is the tenant's wish; that it does not run now is the platform's."""
    tenant_id = new_tenant()
    await tool.install("1.1.0", tenant_id)
    named = {"tenant_id": str(tenant_id), "extension": tool.extension}
    installs = tool.registry.installs
    await tool.registry.call(installs.Disable, install_pb.DisableRequest(**named))
    await tool.quarantine("1.1.0")
    await tool.registry.call(installs.Enable, install_pb.EnableRequest(**named))
    with pytest.raises(VersionQuarantinedError):
        await tool.registry.resolve(tenant_id, tool.extension)
    await tool.lift("1.1.0")
    resolved = await tool.registry.resolve(tenant_id, tool.extension)
    assert resolved.install.version == "1.1.0"
