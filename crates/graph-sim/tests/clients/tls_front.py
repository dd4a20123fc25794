"""Ends TLS in front of a server that speaks plain HTTP on loopback, with certificates made for this run.

Identity libraries accept an authority with https only. This forwards bytes and knows nothing of HTTP.
"""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificates(folder: Path):
    """An authority, and a certificate for loopback that it signed, with its key: two files.

    A self-signed certificate alone would do for OpenSSL; rustls takes no authority's certificate for a server's.
    """
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of this run")])
    localhost = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]

    trusted = _certificate(authority, authority, authority_key)
    trusted = trusted.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    served = _certificate(localhost, authority, key)
    served = served.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    served = served.add_extension(x509.SubjectAlternativeName(names), critical=False)

    authority_file, server_file = folder / "authority.pem", folder / "localhost.pem"
    authority_file.write_bytes(_signed(trusted, authority_key))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server_file.write_bytes(key.private_bytes(*private) + _signed(served, authority_key))
    return authority_file, server_file


def _certificate(subject, issuer, key):
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    certificate = certificate.serial_number(x509.random_serial_number())
    return certificate.not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(
        now + datetime.timedelta(days=1)
    )


def _signed(certificate, key):
    return certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class TlsFront:
    """Listens as soon as it is made; forwards once `target` is set. Its thread ends with the process."""

    def __init__(self, certificate: Path):
        self.target = None
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._socket.getsockname()[1]}"
        threading.Thread(target=lambda: asyncio.run(self._forward()), daemon=True).start()

    async def _forward(self):
        server = await asyncio.start_server(self._serve, sock=self._socket, ssl=self._context)
        await server.serve_forever()

    async def _serve(self, reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection(*self.target)
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer), return_exceptions=True)


async def _copy(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
