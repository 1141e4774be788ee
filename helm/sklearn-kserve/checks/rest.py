"""Ask a model over REST whether it is ready, and what it says of a row: rest.py URL MODEL ROW."""

import json
import sys
import urllib.request

url, model, row = sys.argv[1:]
with urllib.request.urlopen(f"{url}/v2/models/{model}/ready", timeout=30) as answer:
    print(answer.read().decode())
if row != "{}":
    request = urllib.request.Request(f"{url}/predict/{model}", data=row.encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(json.load(answer))
