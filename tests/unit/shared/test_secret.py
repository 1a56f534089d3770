"""A secret shows itself to nobody who does not ask."""

import copy
import json
import pickle
from dataclasses import dataclass

import pytest

from shared.secret import Secret

CANARY = "canary-2b9e41"


@dataclass
class Holder:
    secret: Secret


def test_no_way_of_showing_it_shows_it() -> None:
    secret = Secret(CANARY)
    shown = f"{secret} {secret!r} {secret!s} {secret:>80} {Holder(secret)} {[secret]} {{}}".format(
        secret
    )
    shown += "%s %r" % (secret, secret)  # noqa: UP031 - the old way, too
    assert CANARY not in shown
    assert CANARY not in str(ValueError(secret))
    assert secret.reveal() == CANARY


def test_it_is_neither_written_nor_copied() -> None:
    secret = Secret(CANARY)
    for work in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, hash, vars):
        with pytest.raises(TypeError) as told:
            work(secret)
        assert CANARY not in str(told.value)


def test_it_can_be_compared() -> None:
    assert Secret("é") == Secret("é")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
