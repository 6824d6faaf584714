"""An agent of another stack: calls URL three times over one requests session."""
import sys

import requests

session = requests.Session()
for i in range(3):
    answer = session.post(sys.argv[1], json={"id": i, "arguments": {"k": "값"}}, timeout=10)
    wanted = {"id": i, "type": "tool_result", "result": {"ok": True, "echo": {"k": "값"}}}
    assert answer.json() == wanted, answer.text
print("ok")
