"""Frames of hosts that misbehave: claims to an address that somebody else holds, old adverts."""

from __future__ import annotations

import ipaddress
import socket
import struct

from .namespaces import Host
from .sniffer import Advert

BROADCAST = b"\xff" * 6
ETHERNET, IPV4, ARP = 1, 0x0800, 0x0806
REQUEST = 1
NEIGHBOUR_ADVERTISEMENT, OVERRIDE, TARGET_LINK_LAYER_ADDRESS = 136, 0x20000000, 2


def claim(host: Host, mac: str, address: str, count: int = 1) -> None:
    """Say on `eth0` that `address` is at `mac`, unasked."""
    if ":" in address:
        _advertise(host, mac, address, count)
    else:
        _send_gratuitous_arp(host, mac, address, count)


def replay(host: Host, advert: Advert, count: int) -> None:
    """Send a recorded IPv4 advert again, octet by octet."""
    ends = bytes.fromhex((advert.mac_destination + advert.mac).replace(":", ""))
    frame = ends + struct.pack("!H", IPV4) + advert.header + advert.message
    with host.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        host.call(lambda: raw.bind(("eth0", IPV4)))
        for _ in range(count):
            raw.send(frame)


def _send_gratuitous_arp(host: Host, mac: str, address: str, count: int) -> None:
    sender = bytes.fromhex(mac.replace(":", ""))
    own = ipaddress.IPv4Address(address).packed
    frame = BROADCAST + sender + struct.pack("!H", ARP)
    frame += struct.pack("!HHBBH", ETHERNET, IPV4, 6, 4, REQUEST)
    frame += sender + own + BROADCAST + own
    with host.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        host.call(lambda: raw.bind(("eth0", ARP)))
        for _ in range(count):
            raw.send(frame)


def _advertise(host: Host, mac: str, address: str, count: int) -> None:
    message = struct.pack("!BBHI", NEIGHBOUR_ADVERTISEMENT, 0, 0, OVERRIDE)
    message += ipaddress.IPv6Address(address).packed
    message += struct.pack("!BB", TARGET_LINK_LAYER_ADDRESS, 1)
    message += bytes.fromhex(mac.replace(":", ""))
    with host.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        index = host.call(lambda: socket.if_nametoindex("eth0"))
        for _ in range(count):
            raw.sendto(message, ("ff02::1", 0, 0, index))
