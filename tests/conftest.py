"""Fixtures come from plugins, one for each real thing that tests talk to."""

pytest_plugins: list[str] = [
    "tests.fixtures.tokens",
    "tests.fixtures.s3",
    "tests.fixtures.gateway",
    "tests.fixtures.guests.plugin",
    "tests.fixtures.command_line",
    "tests.fixtures.own_stack",
    "tests.fixtures.runner",
    "tests.fixtures.postgres",
    "tests.fixtures.registry",
    "tests.fixtures.publishing",
    "tests.fixtures.platform",
    "tests.fixtures.catalogue",
    "tests.fixtures.vault",
]
