"""OpenStack's own Nova in one process: API, conductor, scheduler, compute with its fake driver; Placement.

    PYTHON serve.py PORTFILE        PYTHON: of tools/install-nova; ends with SIGTERM

Nova's package ships the fixtures of its functional tests: Glance, Neutron and Keystone are stand-ins, all of
Nova is Nova. Everyone is the project's administrator, as whose token is not looked at.
"""

# ruff: noqa: E402, I001

import pathlib
import sys

import nova

etc = pathlib.Path(nova.__file__).parents[1] / "etc"  # where the fixtures look; a wheel puts it elsewhere
if not etc.exists():
    etc.symlink_to(pathlib.Path(sys.prefix) / "etc")

from nova.tests.functional import integrated_helpers  # first: it patches sockets and threads
from nova.tests import fixtures

import os
import signal
import socketserver
import threading
import unittest
import warnings
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


class Threading(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Cloud(integrated_helpers._IntegratedTestBase):
    ADMIN_API = True
    USE_PROJECT_ID = False

    def test_serve(self):
        warnings.resetwarnings()  # the fixtures make errors of them: answers of 500
        warnings.simplefilter("ignore")
        app = self.api_fixture.app()

        def as_administrator(environ, start_response):
            environ["HTTP_X_AUTH_USER"] = "admin"
            environ["HTTP_X_AUTH_PROJECT_ID"] = fixtures.PROJECT_ID
            environ["HTTP_X_ROLES"] = "reader,member,admin"
            return app(environ, start_response)

        server = make_server("127.0.0.1", 0, as_administrator, server_class=Threading, handler_class=Quiet)
        part = pathlib.Path(sys.argv[1] + ".part")
        part.write_text(str(server.server_port))
        part.rename(sys.argv[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        parent = os.getppid()
        while not ended.wait(0.5) and os.getppid() == parent:  # never outlives the tests
            pass


if __name__ == "__main__":
    os.environ["OS_TEST_TIMEOUT"] = "0"
    unittest.main(argv=["nova"])
