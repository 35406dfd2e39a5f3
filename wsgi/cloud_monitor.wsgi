"""The status page for Apache with mod_wsgi (apache/cloud_monitor.conf). `application` is what it serves.

Settings: CONFIG, since Apache's SetEnv does not reach the environment of the process; what the environment of
Apache itself has (on Debian /etc/apache2/envvars) wins over it. A relative state_dir counts from the checkout.
"""

import logging
import os
import site
import sys
from pathlib import Path

CONFIG = Path("/etc/cloud-monitor/webapp.toml")

ROOT = Path(__file__).resolve().parent.parent
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

os.chdir(ROOT)
sys.path.insert(0, str(ROOT))
site.addsitedir(str(ROOT / ".venv" / "lib" / PYTHON / "site-packages"))

from webapp import create_app  # noqa: E402 (it is found only now)
from webapp.settings import read_settings  # noqa: E402

settings = read_settings(CONFIG if CONFIG.exists() else None)
logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
application = create_app(settings)
