"""The command: ``python -m local.directory --port 7080 --seed examples/tenant.json [--data DIR]``."""

import argparse
import sys
from pathlib import Path

from local.directory.application import build, open_directory
from local.directory.serving import serve
from local.directory.tenant import Tenant


def main() -> int:
    """Serve a directory until SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.directory", description="A local Microsoft Entra directory.")
    parser.add_argument("--port", type=int, default=7080, help="0 takes a free one (default: 7080)")
    parser.add_argument("--seed", type=Path, default=Path("examples/tenant.json"), help="the tenant to begin with")
    parser.add_argument("--data", type=Path, help="a folder that keeps the state; without it, memory does")
    options = parser.parse_args()
    try:
        tenant = Tenant.from_file(options.seed)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"local.directory: cannot read the seed {options.seed}: {error}\n")
        return 1
    directory = open_directory(tenant, data=options.data)
    return serve("local.directory", lambda url, connections: build(directory, url, connections), options.port)


if __name__ == "__main__":
    sys.exit(main())
