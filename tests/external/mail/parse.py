"""Prints what Python's own parser finds in a message, as JSON."""

import email.policy
import json
import sys
from email.parser import BytesParser

with open(sys.argv[1], "rb") as file:
    message = BytesParser(policy=email.policy.default).parse(file)


def part(part):
    content = part.get_payload(decode=True)
    return {
        "type": part.get_content_type(),
        "disposition": part.get_content_disposition(),
        "filename": part.get_filename(),
        "id": part["Content-ID"],
        "bytes": len(content),
        "starts": content[:8].hex(),
        "text": part.get_content() if part.get_content_maintype() == "text" else None,
    }


print(
    json.dumps(
        {
            "headers": {name: str(value) for name, value in message.items()},
            "names": [name for name, _ in message.items()],
            "to": [[to.display_name, to.addr_spec] for to in message["To"].addresses],
            "defects": [str(defect) for each in message.walk() for defect in each.defects],
            "structure": [each.get_content_type() for each in message.walk()],
            "parts": [part(each) for each in message.walk() if not each.is_multipart()],
        }
    )
)
