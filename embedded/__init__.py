"""The Carbon and graphite-web that `make run` and the tests start: their installation and configuration."""
