"""What is killed under the platform costs no call."""

import os
import signal

from tests.fixtures.own_stack import lives, wait_until
from tests.fixtures.platform import Platform


def test_the_call_right_after_a_runner_was_killed_succeeds(
    platform: Platform, tenant: str, agreements: str
) -> None:
    for _ in range(4):
        os.kill(platform.stack.process_of("runner_service").pid, signal.SIGKILL)
        created = platform.call("POST", f"{agreements}/agreements", tenant, b'{"title": "A"}')
        assert created.status == 201
        wait_until(lambda: platform.stack.run("doctor").returncode == 0)


def test_the_call_after_postgres_came_back_succeeds(
    platform: Platform, tenant: str, agreements: str
) -> None:
    killed = platform.stack.process_of("bin/postgres")
    os.kill(killed.pid, signal.SIGKILL)
    # A write that is under way when the server dies may have been done: the caller is told so.
    wait_until(lambda: not lives(killed))
    wait_until(lambda: platform.stack.run("executions", "--tenant", tenant).returncode == 0)
    created = platform.call("POST", f"{agreements}/agreements", tenant, b'{"title": "B"}')
    assert created.status == 201
    read = platform.call("GET", f"{agreements}/agreements/{created.body['id']}", tenant)
    assert read.body["title"] == "B"
