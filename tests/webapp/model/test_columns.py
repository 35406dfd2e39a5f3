"""Which columns the table of clouds may have."""

from __future__ import annotations

import pytest

from webapp.model.options import check_columns


def test_columns_are_checked() -> None:
    assert check_columns(("running", "idle", "manual")) == ("running", "idle", "manual")
    for wrong in ((), ("running", "running"), ("a b",)):
        with pytest.raises(ValueError, match="column"):
            check_columns(wrong)
