"""Addresses to listen on that no other machine can reach."""

from ipaddress import ip_address

from mobilebench.targets.errors import BenchError


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone; raises BenchError if it is no address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        raise BenchError(f"host {host!r}: give the address of a network interface") from None


def require_loopback(host: str, insecure_bind: bool, danger: str) -> None:
    """Raise BenchError, telling the danger, for an address that others reach, if not meant."""
    if not is_loopback(host) and not insecure_bind:
        raise BenchError(
            f"host {host}: {danger}; use a tunnel to 127.0.0.1 "
            "(docs/guide/12-connect-boards-safely.md), or say --insecure-bind"
        )
