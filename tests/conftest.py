"""Makes the service fixtures known to every test; each service has its module in tests/services/."""

pytest_plugins = [
    "tests.services.azurite",
    "tests.services.certificates",
    "tests.services.chromium",
    "tests.services.condor",
    "tests.services.graphite",
    "tests.services.postgres",
    "tests.services.victoriametrics",
]
