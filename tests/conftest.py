"""Makes the service fixtures known to every test; each service has its module in tests/services/."""

pytest_plugins = [
    "tests.services.condor",
    "tests.services.graphite",
]
