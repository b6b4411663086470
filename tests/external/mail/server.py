"""A mail server with TLS and a login, by aiosmtpd. Writes what it takes over into a folder.

usage: server.py FOLDER tls|starttls CERTIFICATE KEY
Prints its port, and ends when its standard input does.
"""

import asyncio
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, mode, certificate, key = sys.argv[1:]
folder = pathlib.Path(folder)


class Keeper:
    taken = 0

    async def handle_DATA(self, server, session, envelope):
        Keeper.taken += 1
        (folder / f"{Keeper.taken}.eml").write_bytes(envelope.original_content)
        about = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "encrypted": session.ssl is not None or mode == "tls",
            "authenticated": session.authenticated,
        }
        (folder / f"{Keeper.taken}.json").write_text(json.dumps(about))
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = LoginPassword(b"ann", b"canary-7")
    return AuthResult(success=data == right, handled=False)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
encryption = (
    {"auth_require_tls": False}
    if mode == "tls"
    else {"tls_context": context, "require_starttls": True}
)


async def main():
    loop = asyncio.get_running_loop()

    def connection():
        return SMTP(
            Keeper(), hostname="localhost", authenticator=authenticate, auth_required=True, **encryption
        )

    server = await loop.create_server(
        connection, "127.0.0.1", 0, ssl=context if mode == "tls" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
