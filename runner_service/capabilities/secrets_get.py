"""`cap:secrets.get`: the install's secrets."""

from typing import ClassVar

from runner_service.abi.values import Err
from runner_service.capabilities.capability import Answers
from runner_service.capabilities.unoffered import Unoffered
from shared.capabilities import SECRETS_GET


class SecretsGet(Unoffered):
    """No install can have secrets yet, so every one is missing."""

    name = SECRETS_GET
    interface = "alga:extension/secrets"
    denials: ClassVar[Answers] = {"get": Err("denied"), "list-keys": []}
    failures: ClassVar[Answers] = {"get": Err("missing"), "list-keys": []}
