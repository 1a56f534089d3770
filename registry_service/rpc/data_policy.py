"""What an uninstall asks for the records, off the wire."""

from typing import Final

from shared.errors import ArgumentInvalidError
from shared.pb.registry.v1 import install_service_pb2 as pb

_KEEPS: Final = {
    pb.DATA_POLICY_UNSPECIFIED: False,
    pb.DATA_POLICY_DELETE: False,
    pb.DATA_POLICY_KEEP: True,
}


def keeps_records(policy: pb.DataPolicy.ValueType) -> bool:
    """Whether the records are to stay.

    Raises:
        ArgumentInvalidError: the policy is one that this program does not know.
    """
    try:
        return _KEEPS[policy]
    except KeyError:
        raise ArgumentInvalidError(
            "There is no such data policy; records are deleted or kept.", what="data_policy"
        ) from None
