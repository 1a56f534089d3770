"""A call, through a real gateway, a real registry contract and a real runner contract."""

from tests.fixtures.gateway import GatewayRig


async def test_a_call_is_answered_by_the_guest(rig: GatewayRig) -> None:
    async with rig.http.get(
        rig.url("/agreements/42?a=1&b=%20"), headers={"x-request-id": "r-1"}
    ) as got:
        assert got.status == 200
        assert await got.text() == "/agreements/42?a=1&b=%20"
        assert got.headers["x-request-id"] == "r-1"
    sent = rig.runner.last
    assert sent.http.method == "GET"
