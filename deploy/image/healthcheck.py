"""The image's health check: 0 where /livez of this container answers 200, else 1 with what it said."""

import http.client
import os
import sys


def main() -> int:
    """Ask /livez on the port of the settings."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("LOTRISK_WEB_PORT", "6066")), timeout=4)
    try:
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        said = answer.read(2000).decode("utf-8", "replace")
    except OSError as error:
        print(f"/livez does not answer: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    print(said)
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
