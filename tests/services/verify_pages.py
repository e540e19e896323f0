"""Checks signed pages with joserfc, a JOSE library that knows nothing of parkgate.

Reads JSON lines {"jwk": …, "page": base64, "jws": "header..signature"} and prints for each "ok" or what the library says.
"""

import base64
import json
import sys

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

for line in sys.stdin:
    given = json.loads(line)
    key = OKPKey.import_key(given["jwk"])
    try:
        signed = jws.deserialize_compact(given["jws"], key, algorithms=["EdDSA"], payload=base64.b64decode(given["page"]))
        kid = signed.headers()["kid"]
        print("ok" if kid == key.thumbprint() else f"kid {kid} is not the key's thumbprint")
    except JoseError as error:
        print(type(error).__name__)
