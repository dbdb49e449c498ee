"""Frames of hosts that misbehave: gratuitous ARP for an address somebody else holds."""

from __future__ import annotations

import ipaddress
import socket
import struct

from .namespaces import Host

BROADCAST = b"\xff" * 6
ETHERNET, IPV4, ARP = 1, 0x0800, 0x0806
REQUEST = 1


def send_gratuitous_arp(host: Host, mac: str, address: str, count: int = 1) -> None:
    """Claim an IPv4 address on `eth0` as a gratuitous request."""
    sender = bytes.fromhex(mac.replace(":", ""))
    own = ipaddress.IPv4Address(address).packed
    frame = BROADCAST + sender + struct.pack("!H", ARP)
    frame += struct.pack("!HHBBH", ETHERNET, IPV4, 6, 4, REQUEST)
    frame += sender + own + BROADCAST + own
    with host.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        host.call(lambda: raw.bind(("eth0", ARP)))
        for _ in range(count):
            raw.send(frame)
