"""The status page for Apache with mod_wsgi (apache/cloud_monitor.conf). `application` is what it serves.

Settings: /etc/cloud-monitor/webapp.toml where it exists, since Apache's SetEnv does not reach the process;
what Apache's own environment has (on Debian /etc/apache2/envvars) wins. A relative state_dir counts from the
checkout.
"""

import os
import site
import sys
from pathlib import Path

CONFIG = None  # another settings file, for example "/srv/cloud-monitor/webapp.toml"

ROOT = Path(__file__).resolve().parent.parent
# Of a checkout, or where pip has put this file: below share/cloud-monitor of the environment.
ENVIRONMENT = ROOT / ".venv" if (ROOT / ".venv").is_dir() else ROOT.parents[1]
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

os.chdir(ROOT)
system = sys.path[:]
site.addsitedir(str(ENVIRONMENT / "lib" / PYTHON / "site-packages"))
# Before what the system has installed, which may be too old: certbot, for one, brings Debian's urllib3 along.
sys.path[:] = [str(ROOT), *(path for path in sys.path if path not in system), *system]

from webapp.wsgi import make  # noqa: E402 (it is found only now)

application = make(CONFIG)
