"""For pytest, as its plugin: what aiormq's own tests ask for to find a broker, at the URL in TERN_AMQP.

Their authors have it from a container, and so a port with TLS, which nothing that runs here uses.
"""
import os
import types

import pytest
from yarl import URL


@pytest.fixture(scope="session")
def amqp_direct_url():
    return URL(os.environ["TERN_AMQP"]).with_path("//")


@pytest.fixture(scope="session")
def rabbitmq_container():
    return types.SimpleNamespace(ports={"5671/tcp": 1})
